/**
 * The styles of the pages: light and dark, from a phone to a wide screen. Every colour is a variable.
 *
 * @module
 */

import { LIST_STYLE } from "./style_list.ts";
import { RUN_STYLE } from "./style_run.ts";

const LIGHT = `
  --bg:#f6f7f9; --page:#fff; --sunk:#f0f2f5; --line:#e2e5ea; --line2:#ced3da; --text:#171b21; --soft:#4c5561;
  --dim:#5b6470; --accent:#0b63c5; --accent-bg:#e6f0fc; --accent-line:#b9d5f5; --ok:#127a46; --ok-bg:#e2f5ea;
  --bad:#bd2318; --bad-bg:#fdeceb; --bad-line:#f3c3bf; --warn:#8a5300; --warn-bg:#fdf3e1; --warn-line:#eed3a4;
  --stop:#6b5200; --stop-bg:#f6efdb; --activity:#3d76d8; --child:#8550cc; --update:#0e857d; --timer:#b0b8c4; --signal:#ddb87c;
  --wait:#dfe3e9; --delay:#cdb892; --undo:#c27412; --mark:#a85d00; --str:#0a6b3d; --num:#8a2fa8; --date:#a04a00;
  --shadow:0 1px 2px #1018280a,0 8px 24px #1018281f;
`;
const DARK = `
  --bg:#0d1015; --page:#14181f; --sunk:#0f1319; --line:#242a33; --line2:#39424e; --text:#e9edf2; --soft:#a9b3c0;
  --dim:#8590a0; --accent:#6cabff; --accent-bg:#142338; --accent-line:#27456e; --ok:#4fce8c; --ok-bg:#10281c;
  --bad:#ff8277; --bad-bg:#331816; --bad-line:#64302c; --warn:#f0b45c; --warn-bg:#2b2111; --warn-line:#5a4418;
  --stop:#d9b75a; --stop-bg:#292312; --activity:#6a9ff0; --child:#b48af0; --update:#46c0b6; --timer:#566172; --signal:#8a6d3c;
  --wait:#2a313b; --delay:#7a6a48; --undo:#e39a3f; --mark:#eeb054; --str:#6fd3a0; --num:#d69df0; --date:#efa868;
  --shadow:0 1px 2px #0006,0 8px 24px #0009;
`;

const BASE = `*{box-sizing:border-box}
html{color-scheme:light dark;background:var(--bg);-webkit-text-size-adjust:100%}
body{margin:0;font:13px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;color:var(--text);background:var(--bg)}
h1,h2,h3,p,ul,ol,dl,dd,figure{margin:0;padding:0;overflow-wrap:anywhere}
ul,ol{list-style:none}
a{color:var(--accent);text-decoration:none}
a:hover{text-decoration:underline}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:4px}
main:focus-visible{outline:none}
code,pre,.id,kbd,.tree,.mono,textarea{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:12px}
.hidden,.skip:not(:focus){position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.skip:focus{position:absolute;z-index:9;top:6px;left:6px;padding:6px 12px;background:var(--page)}
.sprite{position:absolute;width:0;height:0}
.dim{color:var(--dim)}
.bad{color:var(--bad)}
b{font-weight:600}
.icon{width:16px;height:16px;flex:none;fill:none;stroke:currentColor;stroke-width:1.7;stroke-linecap:round;stroke-linejoin:round;vertical-align:-3px}
.top{display:flex;align-items:center;gap:12px;height:48px;padding:0 20px;background:var(--page);border-bottom:1px solid var(--line)}
.brand{display:flex;align-items:center;gap:8px;margin-right:auto;color:var(--text);min-width:0}
.brand:hover{text-decoration:none}
.brand .icon{width:20px;height:20px;color:var(--accent)}
.brand b{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.live{display:flex;align-items:center;gap:6px;color:var(--soft);font-size:12px}
.live[hidden]{display:none}
.live i{width:8px;height:8px;border-radius:50%;background:var(--ok);box-shadow:0 0 0 3px var(--ok-bg)}
.still i{background:var(--soft);box-shadow:none}
.badge{padding:2px 9px;border:1px solid var(--line);border-radius:99px;color:var(--soft);font-size:12px;white-space:nowrap}
.button,button,summary.button{
  display:inline-flex; align-items:center; gap:6px; min-height:28px; padding:3px 10px; border:1px solid var(--line);
  border-radius:6px; background:var(--page); color:var(--text); font:inherit; font-size:12px; cursor:pointer;
  white-space:nowrap;
}
.button:hover,button:hover{border-color:var(--line2);background:var(--sunk);text-decoration:none}
.button.square{width:28px;padding:0;justify-content:center}
.button[aria-disabled=true]{color:var(--dim);opacity:.5;pointer-events:none}
button[hidden]{display:none}
.button.danger{color:var(--bad)}
main{max-width:1440px;margin:0 auto;padding:16px 20px 48px}
.card{background:var(--page);border:1px solid var(--line);border-radius:10px;margin-bottom:12px;min-width:0}
.card>header{display:flex;align-items:center;gap:8px 10px;flex-wrap:wrap;min-height:46px;padding:8px 14px;border-bottom:1px solid var(--line)}
.card>header h2,.card h3{font-size:12px;font-weight:600;color:var(--soft)}
.empty{padding:44px 20px;text-align:center;color:var(--soft)}
.empty .icon{width:28px;height:28px;color:var(--dim)}
.empty h1,.empty h2{font-size:16px;color:var(--text);margin:8px 0 4px;overflow-wrap:anywhere}
.empty p{overflow-wrap:anywhere}
.note{padding:10px 14px;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
.status{
  display:inline-flex; align-items:center; gap:5px; padding:1px 8px 1px 5px; border-radius:99px; font-size:12px;
  font-weight:600; white-space:nowrap; background:var(--sunk); color:var(--soft);
}
.status .icon{width:14px;height:14px;stroke-width:2.2}
.status.running{color:var(--accent);background:var(--accent-bg)}
.status.completed{color:var(--ok);background:var(--ok-bg)}
.status.failed{color:var(--bad);background:var(--bad-bg)}
.status.canceled{color:var(--stop);background:var(--stop-bg)}
.tabs{display:flex;overflow-x:auto;padding:0 2px;border-bottom:1px solid var(--line);scrollbar-width:none}
.tabs a{padding:9px 12px 8px;border-bottom:2px solid transparent;color:var(--soft);white-space:nowrap}
.tabs a:hover{color:var(--text);text-decoration:none}
.tabs a:focus-visible,.runs :focus-visible,.history :focus-visible{outline-offset:-2px}
.tabs [aria-current]{color:var(--text);font-weight:600;border-color:var(--accent)}
.count{margin-left:4px;padding:1px 7px;border-radius:99px;background:var(--sunk);font-size:11px;font-weight:400;font-variant-numeric:tabular-nums}
.chips{display:flex;flex-wrap:wrap;gap:6px;padding:10px 14px}
.chips:empty{display:none}
.chip{
  display:inline-flex; align-items:center; gap:4px; max-width:100%; padding:1px 9px; border:1px solid var(--line);
  border-radius:99px; color:var(--soft); font-size:12px; overflow:hidden;
}
.chip b{color:var(--text);overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.chip:hover{border-color:var(--line2);text-decoration:none}
.chip.set{background:var(--accent-bg);border-color:var(--accent-line)}
.chip .icon{width:12px;height:12px}
.search{position:relative;display:flex;margin:10px 14px 0}
.search .icon{position:absolute;left:10px;top:8px;color:var(--dim)}
.search input[type=search]{
  width:100%; height:32px; padding:0 40px 0 34px; border:1px solid var(--line); border-radius:6px;
  background:var(--sunk); color:var(--text); font:inherit; appearance:none;
}
.search input::placeholder{color:var(--dim);opacity:1}
.search kbd{
  position:absolute; right:8px; top:6px; padding:0 6px; border:1px solid var(--line); border-radius:4px;
  background:var(--page); color:var(--soft); line-height:18px;
}
.histogram{padding:8px 14px;background:var(--sunk);border-top:1px solid var(--line)}
.histogram svg{display:block;width:100%;overflow:visible}
.histogram a:hover rect{opacity:.7}
figcaption{display:flex;justify-content:space-between;color:var(--dim);font-size:11px;padding-top:3px}
.f-page{fill:var(--page)}
.f-running{fill:var(--accent)}
.f-completed{fill:var(--ok)}
.f-failed{fill:var(--bad)}
.f-canceled{fill:var(--stop)}
.f-activity{fill:var(--activity)}
.f-child{fill:var(--child)}
.f-update{fill:var(--update)}
.f-timer{fill:var(--timer)}
.f-wait{fill:var(--wait)}
.f-delay,.f-slot{fill:var(--delay)}
.f-condition,.f-scope{fill:var(--timer)}
.f-compensation{fill:var(--undo)}
.f-retry{fill:url(#retry)}
.f-dash{fill:var(--dim)}
.f-mark,.f-patch,.f-effect,.f-labels{fill:var(--mark)}
.f-signal{fill:var(--signal)}
.f-cancel{fill:var(--bad)}`;

/** The text of the style sheet. */
export const STYLE: string = /* @__PURE__ */ (() =>
  `:root{${LIGHT}}
@media(prefers-color-scheme:dark){:root:not([data-theme=light]){${DARK}}}
:root[data-theme=dark]{${DARK};color-scheme:dark}:root[data-theme=light]{color-scheme:light}
${BASE}
${LIST_STYLE}
${RUN_STYLE}
@media(max-width:820px){
  .wide{display:none!important}
  .top{padding:0 12px}
  main{padding:10px 0 40px}
  .card{border-radius:0;border-left:0;border-right:0;margin-bottom:10px}
}
@media(prefers-reduced-motion:no-preference){
  .status.running .icon{animation:spin 2.4s linear infinite}
  @keyframes spin{to{transform:rotate(1turn)}}
}
`)();
