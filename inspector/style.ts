/**
 * The styles of the pages: light and dark, from a phone to a wide screen. Every colour is a variable.
 *
 * @module
 */

const LIGHT =
  `--bg:#f6f7f9;--page:#fff;--sunk:#f0f2f5;--line:#e2e5ea;--line2:#ced3da;--text:#171b21;--soft:#4c5561;--dim:#5b6470;
--accent:#0b63c5;--accent-bg:#e6f0fc;--accent-line:#b9d5f5;--ok:#127a46;--ok-bg:#e2f5ea;--bad:#bd2318;--bad-bg:#fdeceb;--bad-line:#f3c3bf;
--warn:#8a5300;--warn-bg:#fdf3e1;--warn-line:#eed3a4;--stop:#6b5200;--stop-bg:#f6efdb;--activity:#3d76d8;--child:#8550cc;--update:#0e857d;
--timer:#b0b8c4;--wait:#dfe3e9;--delay:#cdb892;--undo:#c27412;--mark:#a85d00;--str:#0a6b3d;--num:#8a2fa8;--date:#a04a00;
--shadow:0 1px 2px #1018280a,0 8px 24px #1018281f`;
const DARK =
  `--bg:#0d1015;--page:#14181f;--sunk:#0f1319;--line:#242a33;--line2:#39424e;--text:#e9edf2;--soft:#a9b3c0;--dim:#8590a0;
--accent:#6cabff;--accent-bg:#142338;--accent-line:#27456e;--ok:#4fce8c;--ok-bg:#10281c;--bad:#ff8277;--bad-bg:#331816;--bad-line:#64302c;
--warn:#f0b45c;--warn-bg:#2b2111;--warn-line:#5a4418;--stop:#d9b75a;--stop-bg:#292312;--activity:#6a9ff0;--child:#b48af0;--update:#46c0b6;
--timer:#566172;--wait:#2a313b;--delay:#7a6a48;--undo:#e39a3f;--mark:#eeb054;--str:#6fd3a0;--num:#d69df0;--date:#efa868;
--shadow:0 1px 2px #0006,0 8px 24px #0009`;

const SERIF_FREE = `system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif`;
const MONO = `ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace`;

const BASE = `*{box-sizing:border-box}
html{color-scheme:light dark;background:var(--bg);-webkit-text-size-adjust:100%}
body{margin:0;font:13px/1.5 ${SERIF_FREE};color:var(--text);background:var(--bg)}
h1,h2,h3,p,ul,ol,dl,dd,figure{margin:0;padding:0;overflow-wrap:anywhere}ul,ol{list-style:none}
a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:4px}main:focus-visible{outline:none}
code,pre,.id,kbd,.tree,.mono{font-family:${MONO};font-size:12px}
.hidden,.skip:not(:focus){position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.skip:focus{position:absolute;z-index:9;top:6px;left:6px;padding:6px 12px;background:var(--page)}
.sprite{position:absolute;width:0;height:0}.dim{color:var(--dim)}.bad{color:var(--bad)}b{font-weight:600}
.icon{width:16px;height:16px;flex:none;fill:none;stroke:currentColor;stroke-width:1.7;stroke-linecap:round;stroke-linejoin:round;vertical-align:-3px}
.top{display:flex;align-items:center;gap:12px;height:48px;padding:0 20px;background:var(--page);border-bottom:1px solid var(--line)}
.brand{display:flex;align-items:center;gap:8px;margin-right:auto;color:var(--text);min-width:0}.brand:hover{text-decoration:none}
.brand .icon{width:20px;height:20px;color:var(--accent)}.brand b{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.live{display:flex;align-items:center;gap:6px;color:var(--soft);font-size:12px}.live[hidden]{display:none}
.live i{width:8px;height:8px;border-radius:50%;background:var(--ok);box-shadow:0 0 0 3px var(--ok-bg)}
.badge{padding:2px 9px;border:1px solid var(--line);border-radius:99px;color:var(--soft);font-size:12px;white-space:nowrap}
.button,button,summary.button{display:inline-flex;align-items:center;gap:6px;min-height:28px;padding:3px 10px;border:1px solid var(--line);border-radius:6px;background:var(--page);color:var(--text);font:inherit;font-size:12px;cursor:pointer;white-space:nowrap}
.button:hover,button:hover{border-color:var(--line2);background:var(--sunk);text-decoration:none}.button.square{width:28px;padding:0;justify-content:center}
.button[aria-disabled=true]{color:var(--dim);opacity:.5;pointer-events:none}button[hidden]{display:none}.button.danger{color:var(--bad)}
main{max-width:1440px;margin:0 auto;padding:16px 20px 48px}
.card{background:var(--page);border:1px solid var(--line);border-radius:10px;margin-bottom:12px;min-width:0}
.card>header{display:flex;align-items:center;gap:8px 10px;flex-wrap:wrap;min-height:46px;padding:8px 14px;border-bottom:1px solid var(--line)}
.card>header h2,.card h3{font-size:12px;font-weight:600;color:var(--soft)}
.empty{padding:44px 20px;text-align:center;color:var(--soft)}.empty .icon{width:28px;height:28px;color:var(--dim)}.empty h1,.empty h2{font-size:16px;color:var(--text);margin:8px 0 4px;overflow-wrap:anywhere}
.empty p{overflow-wrap:anywhere}.note{padding:10px 14px;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
.status{display:inline-flex;align-items:center;gap:5px;padding:1px 8px 1px 5px;border-radius:99px;font-size:12px;font-weight:600;white-space:nowrap;background:var(--sunk);color:var(--soft)}
.status .icon{width:14px;height:14px;stroke-width:2.2}.status.running{color:var(--accent);background:var(--accent-bg)}.status.completed{color:var(--ok);background:var(--ok-bg)}
.status.failed{color:var(--bad);background:var(--bad-bg)}.status.canceled{color:var(--stop);background:var(--stop-bg)}
.tabs{display:flex;overflow-x:auto;padding:0 2px;border-bottom:1px solid var(--line);scrollbar-width:none}
.tabs a{padding:9px 12px 8px;border-bottom:2px solid transparent;color:var(--soft);white-space:nowrap}.tabs a:hover{color:var(--text);text-decoration:none}
.tabs a:focus-visible,.runs :focus-visible,.history :focus-visible{outline-offset:-2px}
.tabs [aria-current]{color:var(--text);font-weight:600;border-color:var(--accent)}.count{margin-left:4px;padding:1px 7px;border-radius:99px;background:var(--sunk);font-size:11px;font-weight:400;font-variant-numeric:tabular-nums}
.chips{display:flex;flex-wrap:wrap;gap:6px;padding:10px 14px}.chips:empty{display:none}
.chip{display:inline-flex;align-items:center;gap:4px;max-width:100%;padding:1px 9px;border:1px solid var(--line);border-radius:99px;color:var(--soft);font-size:12px;overflow:hidden}
.chip b{color:var(--text);overflow:hidden;text-overflow:ellipsis;white-space:nowrap}.chip:hover{border-color:var(--line2);text-decoration:none}.chip.set{background:var(--accent-bg);border-color:var(--accent-line)}.chip .icon{width:12px;height:12px}
.search{position:relative;display:flex;margin:10px 14px 0}.search .icon{position:absolute;left:10px;top:8px;color:var(--dim)}
.search input[type=search]{width:100%;height:32px;padding:0 40px 0 34px;border:1px solid var(--line);border-radius:6px;background:var(--sunk);color:var(--text);font:inherit;appearance:none}
.search input::placeholder{color:var(--dim);opacity:1}.search kbd{position:absolute;right:8px;top:6px;padding:0 6px;border:1px solid var(--line);border-radius:4px;background:var(--page);color:var(--soft);line-height:18px}
.histogram{padding:8px 14px;background:var(--sunk);border-top:1px solid var(--line)}.histogram svg{display:block;width:100%;overflow:visible}.histogram a:hover rect{opacity:.7}
figcaption{display:flex;justify-content:space-between;color:var(--dim);font-size:11px;padding-top:3px}
.f-page{fill:var(--page)}.f-running{fill:var(--accent)}.f-completed{fill:var(--ok)}.f-failed{fill:var(--bad)}.f-canceled{fill:var(--stop)}
.f-activity{fill:var(--activity)}.f-child{fill:var(--child)}.f-update{fill:var(--update)}.f-timer{fill:var(--timer)}.f-wait{fill:var(--wait)}.f-delay,.f-slot{fill:var(--delay)}.f-condition,.f-scope{fill:var(--timer)}.f-compensation{fill:var(--undo)}.f-retry{fill:url(#retry)}.f-dash{fill:var(--dim)}.f-mark,.f-signal,.f-patch,.f-effect{fill:var(--mark)}.f-cancel{fill:var(--bad)}`;

const LIST = `.runs{width:100%;border-collapse:collapse;table-layout:fixed}
.runs th{padding:7px 8px;text-align:left;font-size:11px;font-weight:400;color:var(--dim);border-top:1px solid var(--line);border-bottom:1px solid var(--line);background:var(--sunk)}
.runs td{padding:8px;border-bottom:1px solid var(--line);vertical-align:middle;overflow-wrap:anywhere}.runs tbody tr:last-child td{border:0}
.runs tr>:first-child{padding-left:14px;width:118px}.runs tr>:last-child{padding-right:14px}.runs th:nth-child(2){width:24%}.runs th:nth-child(4){width:172px}.runs th:nth-child(5){width:86px}.runs th:nth-child(6){width:104px}.runs th:nth-child(7){width:72px}
.runs tbody tr{position:relative}.runs tbody tr:hover,.runs tbody tr:focus-within{background:var(--sunk)}
.runs .id{color:var(--text);font-weight:700}.runs .id::after{content:"";position:absolute;inset:0}
.num{text-align:right!important;font-variant-numeric:tabular-nums;white-space:nowrap}.runs td.num{color:var(--soft)}
.sub{font-size:12px;color:var(--soft)}.sub.dim{color:var(--dim)}.sub span span{white-space:nowrap}.runs td:nth-child(3) div,.runs .sub{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}.now{color:var(--soft)}.now b{color:var(--text)}.now .bad{color:var(--bad)}
.runs .id{display:block;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.shares{display:block;width:100%;border-radius:4px;background:var(--sunk)}.pager{display:flex;justify-content:flex-end;gap:8px;padding:10px 14px;border-top:1px solid var(--line)}
@media(max-width:820px){.runs thead,.history thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}.runs,.runs tbody{display:block}
.runs tr{display:grid;grid-template-columns:1fr auto;gap:2px 10px;padding:10px 12px;border-bottom:1px solid var(--line)}.runs tbody tr:last-child{border:0}
.runs td,.runs tr>:first-child,.runs tr>:last-child{display:block;padding:0;border:0;width:auto;min-width:0}.runs td:nth-child(1){grid-area:1/2;align-self:center}.runs td:nth-child(2){grid-area:1/1}.runs td:nth-child(3){grid-area:2/1}
.runs td:nth-child(6){grid-area:2/2}.runs td:nth-child(4),.runs td:nth-child(5),.runs td:nth-child(7),.runs td:nth-child(3) .sub{display:none}}`;

const RUN =
  `.crumbs{display:flex;gap:8px;font-size:12px;min-width:0}.crumbs a:last-child{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.head{display:flex;align-items:flex-start;gap:12px;margin:6px 0 4px}.head h1{max-height:112px;overflow-y:auto;flex:1;min-width:0;font-size:19px;line-height:28px;overflow-wrap:anywhere}
.menus{display:flex;flex-wrap:wrap;justify-content:flex-end;gap:6px}.menu{position:relative}.menu summary{list-style:none}.menu summary::-webkit-details-marker{display:none}
.menu[open]>summary{background:var(--sunk);border-color:var(--line2)}.menu .panel{position:absolute;z-index:5;right:0;top:34px;width:max-content;min-width:260px;max-width:min(420px,calc(100vw - 24px));max-height:70vh;overflow:auto;padding:6px;background:var(--page);border:1px solid var(--line2);border-radius:10px;box-shadow:var(--shadow)}
.menu:not([open]) .panel{display:none}.panel li a{display:block;padding:5px 10px;border-radius:6px;color:var(--text)}.panel li a:hover{background:var(--sunk);text-decoration:none}.panel li .dim{font-size:12px}
.panel form{display:grid;gap:8px;padding:8px 10px}.panel .compare{border-top:1px solid var(--line);margin-top:6px;grid-template-columns:1fr auto}.compare label{grid-column:1/3}
label{font-size:12px;color:var(--soft)}input:not([type=range],[type=hidden],[type=search]),textarea,select{width:100%;min-height:30px;padding:4px 9px;border:1px solid var(--line2);border-radius:6px;background:var(--sunk);color:var(--text);font:inherit}textarea{font-family:${MONO};font-size:12px;resize:vertical}
.facts-line{display:flex;flex-wrap:wrap;align-items:center;gap:4px 18px;margin-bottom:12px}.soft{color:var(--soft)}.soft time,.soft span{color:var(--text)}.facts-line li{display:flex;align-items:center;gap:4px;min-width:0;overflow-wrap:anywhere}
.banner{display:flex;align-items:flex-start;gap:10px;margin-bottom:12px;padding:10px 14px;border:1px solid var(--line);border-radius:10px;overflow-wrap:anywhere}.banner>div{flex:1;min-width:0;padding-top:2px}.banner>.icon{margin-top:4px}
.banner.info{background:var(--accent-bg);border-color:var(--accent-line)}.banner.info>.icon{color:var(--accent)}.banner.warn{background:var(--warn-bg);border-color:var(--warn-line)}.banner.warn>.icon{color:var(--warn)}
.banner.bad{background:var(--bad-bg);border-color:var(--bad-line);color:var(--text)}.banner.bad>.icon{color:var(--bad)}.banner.stop{background:var(--stop-bg);border-color:var(--warn-line)}.banner.stop>.icon{color:var(--stop)}
.banner a:not(.button){color:inherit;text-decoration:underline;text-decoration-color:var(--line2)}
.columns{display:grid;grid-template-columns:minmax(0,1fr) 360px;gap:12px;align-items:start}.right{margin-left:auto}.side .card:last-child{margin-bottom:0}
.switch{display:flex;border:1px solid var(--line);border-radius:6px;background:var(--sunk);overflow:auto;scrollbar-width:none}.switch a{padding:2px 9px;font-size:12px;color:var(--soft);border-left:1px solid var(--line);white-space:nowrap}.switch a:first-child{border:0}
.switch a:hover{color:var(--text);text-decoration:none}.switch [aria-current]{background:var(--page);color:var(--text);font-weight:600}.switch a:focus-visible{outline-offset:-2px}
.travel{display:flex;align-items:center;gap:8px;margin-left:auto}.travel input{flex:1 1 90px;width:120px;min-width:60px;accent-color:var(--accent)}.travel output{min-width:56px;text-align:right;color:var(--soft);font-size:12px;font-variant-numeric:tabular-nums;white-space:nowrap}
.where{padding:12px 14px 4px}.where .shares{height:8px}.legend{display:flex;flex-wrap:wrap;gap:2px 14px;margin-top:6px;font-size:12px;color:var(--soft)}.legend i{display:inline-block;width:9px;height:9px;margin-right:5px;border-radius:2px}
.b-activity{background:var(--activity)}.b-child{background:var(--child)}.b-retry{background:repeating-linear-gradient(90deg,var(--dim) 0 2px,transparent 2px 4px)}.b-delay{background:var(--delay)}.b-timer,.b-condition{background:var(--timer)}.b-signal{background:var(--mark)}.b-wait{background:var(--wait)}
.plot{position:relative;padding:4px 0 8px;--label:190px;--sum:96px}.plot .ticks,.plot .grid{margin-left:var(--label);width:calc(100% - var(--label) - var(--sum));overflow:visible}.plot .ticks{display:block}.plot .grid{position:absolute;top:24px;left:0;height:calc(100% - 32px)}
.ticks text{font-size:11px;fill:var(--dim)}.tick{stroke:var(--line)}.fold{stroke:var(--dim);stroke-dasharray:1 3}.plot ol{position:relative;border-top:1px solid var(--line)}
.plot li{display:grid;grid-template-columns:var(--label) minmax(0,1fr) var(--sum);align-items:center;height:26px}.plot li.dim{display:block;padding:3px 14px}.plot>p{padding:6px 14px}.plot li:hover{background:color-mix(in srgb,var(--sunk) 60%,transparent)}.plot li.chosen{background:var(--accent-bg)}
.plot .label{padding:0 8px 0 14px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;color:var(--text);font-size:12px}.label code{font-size:11px;color:var(--str)}.label small{color:var(--dim);font-size:11px}.plot .label:focus-visible{outline-offset:-2px}
.lane{display:block;width:100%;overflow:visible}.sum{padding:0 14px 0 8px;text-align:right;font-size:12px;color:var(--soft);white-space:nowrap;overflow:hidden;font-variant-numeric:tabular-nums}
.lane rect.open{fill-opacity:.4;stroke:currentColor;stroke-dasharray:none}.lane rect.left,.lane rect.canceled{fill-opacity:.15;stroke:currentColor;stroke-dasharray:3 2}.lane .failed{stroke:var(--bad)}.lane .delay{stroke:var(--dim);stroke-width:1.5;stroke-dasharray:1.5 3}.mark{fill:var(--mark)}.k-cancel .mark{fill:var(--bad)}
.k-activity{color:var(--activity)}.k-child{color:var(--child)}.k-timer{color:var(--timer)}.k-update{color:var(--update)}.k-compensation{color:var(--undo)}.k-delay,.k-slot{color:var(--delay)}.k-condition,.k-scope{color:var(--timer)}.k-signal{color:var(--mark)}
.history{width:100%;border-collapse:collapse;table-layout:fixed}.history td{padding:4px 8px;border-top:1px solid var(--line);vertical-align:top;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}.history tr:first-child td{border-top:0}
.history tr{position:relative;scroll-margin:80px}.history tr:hover,.history tr:focus-within{background:var(--sunk)}.history tr[aria-current]{background:var(--accent-bg);box-shadow:inset 3px 0 var(--accent)}
.history th{height:0;padding:0;font-size:0;line-height:0}.history th:nth-child(1){width:64px}.history th:nth-child(2){width:126px}.history th:nth-child(3){width:196px}.history tbody tr:first-child td{border-top:0}.history .num{padding-left:14px}.history .at{color:var(--soft)}.history .what{padding-right:14px;color:var(--soft)}.what b{color:var(--text)}.history a{color:var(--text)}.history a::after{content:"";position:absolute;inset:0}
.dot{width:8px;height:8px;margin-right:8px;vertical-align:0}.card>.pager{align-items:center;flex-wrap:wrap}.pager .dim{margin-right:auto}
.event{border-color:var(--accent-line)}.event .title{min-width:0;overflow-wrap:anywhere}.event .right{display:flex;gap:4px}.facts{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:4px 18px;padding:12px 14px}.facts dt{color:var(--soft);max-width:110px;overflow-wrap:anywhere}.facts dd{overflow-wrap:anywhere}
.value{padding:10px 14px 12px}.value+.value,.facts+.value,.card .attempts+*{border-top:1px solid var(--line)}.value h3{margin-bottom:5px}.value .button{margin-top:8px}.foot{padding:4px 14px 14px}
.tree{overflow-wrap:anywhere;line-height:1.55;max-height:70vh;overflow:auto}.tree div,.tree summary{white-space:pre-wrap}.tree .items{margin-left:4px;padding-left:14px;border-left:1px solid var(--line)}.tree summary{cursor:pointer;list-style:none;margin-left:-2px}.tree summary::before{content:"▸";display:inline-block;width:12px;color:var(--dim);font-size:10px}.tree details[open]>summary::before{content:"▾"}
.tree summary::-webkit-details-marker{display:none}.key{color:var(--text)}.v-text{color:var(--str)}.v-number{color:var(--num)}.v-date{color:var(--date)}.v-word{color:var(--soft)}.v-error{color:var(--bad);font-weight:600}.v-box{color:var(--dim)}.banner .v-error{color:var(--text)}
.attempts li{padding:2px 0}.children{padding:8px 14px}.children li{padding:2px 0;overflow-wrap:anywhere}.status:has(.hidden){padding:1px 5px}
.pair{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:0 12px;align-items:start}.inset{padding:10px 14px;margin:0}.compared{width:100%;border-collapse:collapse;table-layout:fixed}.compared th{padding:6px 8px;text-align:left;font-size:11px;font-weight:400;color:var(--dim);overflow:hidden;text-overflow:ellipsis}.compared th:first-child{width:64px}
.compared td{padding:6px 8px;border-top:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}.compared tr[aria-current]{background:var(--warn-bg);box-shadow:inset 3px 0 var(--warn)}.compared a{color:var(--text)}.compared .what{color:var(--soft);overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
@media(max-width:1020px){.columns{grid-template-columns:minmax(0,1fr)}.side{display:grid;grid-template-columns:minmax(0,1fr)}.event{order:-1}.columns:has(.event) .side{order:-1}}
@media(max-width:820px){.pair{gap:0 1px}.compared .mono{display:none}.compared th:first-child{width:40px}.compared .num{padding-left:4px}.pair .facts{grid-template-columns:minmax(0,1fr);gap:0;padding:10px 12px}.pair .facts dd{margin-bottom:4px}.crumbs,.facts-line,.head,.banner{margin-left:12px;margin-right:12px}.head{flex-wrap:wrap}.menus{justify-content:flex-start}.menu{position:static}.menus{position:relative;max-width:100%}.head{position:relative}.menus{position:static}.menu .panel{top:auto;left:0;right:0;width:auto;max-width:none;margin-top:6px}.plot{--label:104px;--sum:92px}.plot .label{padding-left:12px}.travel{margin-left:0;width:100%}.card>header{padding:8px 12px}.card>header .switch{max-width:100%}
.history tr{display:grid;grid-template-columns:auto 1fr auto;padding:5px 12px;border-top:1px solid var(--line)}.history tr:first-child{border:0}.history td{border:0;padding:0}.history td.num{padding-right:8px;min-width:24px}.history .at{grid-column:3;grid-row:1;font-size:11px}.history .what{grid-column:2/4;padding:0}}`;

/** The text of the style sheet. */
export const STYLE = `:root{${LIGHT}}
@media(prefers-color-scheme:dark){:root:not([data-theme=light]){${DARK}}}
:root[data-theme=dark]{${DARK};color-scheme:dark}:root[data-theme=light]{color-scheme:light}
${BASE}
${LIST}
${RUN}
@media(max-width:820px){.wide{display:none!important}.top{padding:0 12px}main{padding:10px 0 40px}.card{border-radius:0;border-left:0;border-right:0;margin-bottom:10px}}
@media(prefers-reduced-motion:no-preference){.status.running .icon{animation:spin 2.4s linear infinite}@keyframes spin{to{transform:rotate(1turn)}}}
`;
