/**
 * The styles of the page of a run and of the comparison.
 *
 * @module
 */

/** Rules; one for a line. */
export const RUN_STYLE = `.crumbs{display:flex;gap:8px;font-size:12px;min-width:0}
.crumbs+.card{margin-top:10px}
.crumbs a:last-child{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.head{display:flex;align-items:flex-start;gap:12px;margin:6px 0 4px}
.head h1{max-height:112px;overflow-y:auto;flex:1;min-width:0;font-size:19px;line-height:28px;overflow-wrap:anywhere}
.menus{display:flex;flex-wrap:wrap;justify-content:flex-end;gap:6px}
.menu{position:relative}
.menu summary{list-style:none}
.menu summary::-webkit-details-marker{display:none}
.menu[open]>summary{background:var(--sunk);border-color:var(--line2)}
.menu .panel{
  position:absolute; z-index:5; right:0; top:34px; width:max-content; min-width:260px;
  max-width:min(420px,calc(100vw - 24px)); max-height:70vh; overflow:auto; padding:6px; background:var(--page);
  border:1px solid var(--line2); border-radius:10px; box-shadow:var(--shadow);
}
.menu:not([open]) .panel{display:none}
.panel li a{display:block;padding:5px 10px;border-radius:6px;color:var(--text)}
.panel li a:hover{background:var(--sunk);text-decoration:none}
.panel li .dim{font-size:12px}
.panel form{display:grid;gap:8px;padding:8px 10px}
.panel form p{font-size:12px;color:var(--soft)}
.form{max-width:600px}
.form form{display:grid;gap:10px;padding:12px 14px 14px}
.form .hint{font-size:12px;color:var(--soft)}
label>input,label>textarea{display:block;margin-top:3px}
input::placeholder,textarea::placeholder{color:var(--dim);opacity:1}
form button:not(.button){justify-self:start;border-color:var(--accent);background:var(--accent);color:var(--page);font-weight:600}
form button.danger{border-color:var(--bad);background:var(--bad)}
form button:not(.button):hover{opacity:.88;background:var(--accent)}
form button.danger:hover{background:var(--bad)}
.panel .compare{border-top:1px solid var(--line);margin-top:6px;grid-template-columns:1fr auto}
.compare label{grid-column:1/3}
label{font-size:12px;color:var(--soft)}
input:not([type=range],[type=hidden],[type=search]),textarea,select{
  width:100%; min-height:30px; padding:4px 9px; border:1px solid var(--line2); border-radius:6px;
  background:var(--sunk); color:var(--text); font:inherit;
}
textarea{font-size:12px;resize:vertical}
.facts-line{display:flex;flex-wrap:wrap;align-items:center;gap:4px 18px;margin-bottom:12px}
.soft{color:var(--soft)}
.soft time,.soft span{color:var(--text)}
.facts-line .chip{max-width:min(100%,480px);white-space:nowrap}
.facts-line .chip span{max-width:220px;overflow:hidden;text-overflow:ellipsis;color:inherit}
.facts-line li{display:flex;align-items:center;gap:4px;min-width:0;overflow-wrap:anywhere}
.banner{
  display:flex; align-items:flex-start; gap:10px; margin-bottom:12px; padding:10px 14px; border:1px solid var(--line);
  border-radius:10px; overflow-wrap:anywhere;
}
.banner>div{flex:1;min-width:0;padding-top:2px}
.banner>.icon{margin-top:4px}
.banner.info{background:var(--accent-bg);border-color:var(--accent-line)}
.banner.info>.icon{color:var(--accent)}
.banner.warn{background:var(--warn-bg);border-color:var(--warn-line)}
.banner.warn>.icon{color:var(--warn)}
.banner.bad{background:var(--bad-bg);border-color:var(--bad-line);color:var(--text)}
.banner.bad>.icon{color:var(--bad)}
.banner.stop{background:var(--stop-bg);border-color:var(--warn-line)}
.banner.stop>.icon{color:var(--stop)}
.banner a:not(.button){color:inherit;text-decoration:underline;text-decoration-color:var(--line2)}
.columns{display:grid;grid-template-columns:minmax(0,1fr) 360px;gap:12px;align-items:start}
.right{margin-left:auto}
.side .card:last-child{margin-bottom:0}
.switch{display:flex;border:1px solid var(--line);border-radius:6px;background:var(--sunk);overflow:auto;scrollbar-width:none}
.switch a{padding:2px 9px;font-size:12px;color:var(--soft);border-left:1px solid var(--line);white-space:nowrap}
.switch a:first-child{border:0}
.switch a:hover{color:var(--text);text-decoration:none}
.switch [aria-current]{background:var(--page);color:var(--text);font-weight:600}
.switch a:focus-visible{outline-offset:-2px}
.travel{display:flex;align-items:center;gap:8px;margin-left:auto}
.travel input{flex:1 1 90px;width:120px;min-width:60px;accent-color:var(--accent)}
.travel output{min-width:56px;text-align:right;color:var(--soft);font-size:12px;font-variant-numeric:tabular-nums;white-space:nowrap}
.where{padding:12px 14px 4px}
.where .shares{height:8px}
.legend{display:flex;flex-wrap:wrap;gap:2px 14px;margin-top:6px;font-size:12px;color:var(--soft)}
.legend i{display:inline-block;width:9px;height:9px;margin-right:5px;border-radius:2px}
.b-activity{background:var(--activity)}
.b-child{background:var(--child)}
.b-retry{background:repeating-linear-gradient(90deg,var(--dim) 0 2px,transparent 2px 4px)}
.b-delay{background:var(--delay)}
.b-timer,.b-condition{background:var(--timer)}
.b-signal{background:var(--signal)}
.b-wait{background:var(--wait)}
.plot{position:relative;padding:4px 0 8px;--label:190px;--sum:96px}
.plot .ticks,.plot .grid{margin-left:var(--label);width:calc(100% - var(--label) - var(--sum));overflow:visible}
.plot .ticks{display:block}
.plot .grid{position:absolute;top:24px;left:0;height:calc(100% - 32px)}
.ticks text{font-size:11px;fill:var(--dim)}
.tick{stroke:var(--line)}
.fold{stroke:var(--dim);stroke-dasharray:1 3}
.plot ol{position:relative;border-top:1px solid var(--line)}
.plot li{display:grid;grid-template-columns:var(--label) minmax(0,1fr) var(--sum);align-items:center;height:26px}
.plot li.dim{display:block;padding:3px 14px}
.plot>p{padding:6px 14px}
.plot li:hover{background:color-mix(in srgb,var(--sunk) 60%,transparent)}
.plot li.chosen{background:var(--accent-bg)}
.plot .label{padding:0 8px 0 14px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;color:var(--text);font-size:12px}
.label code{font-size:11px;color:var(--str)}
.label small{color:var(--dim);font-size:11px}
.plot .label:focus-visible{outline-offset:-2px}
.lane{display:block;width:100%;overflow:visible}
.sum{padding:0 14px 0 8px;text-align:right;font-size:12px;color:var(--soft);white-space:nowrap;overflow:hidden;font-variant-numeric:tabular-nums}
.lane rect.open{fill-opacity:.4;stroke:currentColor;stroke-dasharray:none}
.lane rect.left,.lane rect.canceled{fill-opacity:.15;stroke:currentColor;stroke-dasharray:3 2}
.lane .failed{stroke:var(--bad)}
.lane .delay{stroke:var(--dim);stroke-width:1.5;stroke-dasharray:1.5 3}
.mark{fill:var(--mark)}
.k-cancel .mark{fill:var(--bad)}
.k-activity{color:var(--activity)}
.k-child{color:var(--child)}
.k-timer{color:var(--timer)}
.k-update{color:var(--update)}
.k-compensation{color:var(--undo)}
.k-delay,.k-slot{color:var(--delay)}
.k-condition,.k-scope{color:var(--timer)}
.k-signal{color:var(--mark)}
.history{width:100%;border-collapse:collapse;table-layout:fixed}
.history td{padding:4px 8px;border-top:1px solid var(--line);vertical-align:top;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.history tr:first-child td{border-top:0}
.history tr{position:relative;scroll-margin:80px}
.history tr:hover,.history tr:focus-within{background:var(--sunk)}
.history tr[aria-current]{background:var(--accent-bg);box-shadow:inset 3px 0 var(--accent)}
.history th{height:0;padding:0;font-size:0;line-height:0}
.history th:nth-child(1){width:64px}
.history th:nth-child(2){width:126px}
.history th:nth-child(3){width:196px}
.history tbody tr:first-child td{border-top:0}
.history .num{padding-left:14px}
.history .at{color:var(--soft)}
.history .what{padding-right:14px;color:var(--soft)}
.what b{color:var(--text)}
.history a{color:var(--text)}
.history a::after{content:"";position:absolute;inset:0}
.dot{width:8px;height:8px;margin-right:8px;vertical-align:0}
.card>.pager{align-items:center;flex-wrap:wrap}
.pager .dim{margin-right:auto}
.event{border-color:var(--accent-line)}
.event .title{min-width:0;overflow-wrap:anywhere}
.event .right{display:flex;gap:4px}
.facts{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:4px 18px;padding:12px 14px}
.facts dt{color:var(--soft);max-width:110px;overflow-wrap:anywhere}
.facts dd{overflow-wrap:anywhere}
.value{padding:10px 14px 12px}
.value+.value,.facts+.value,.card .attempts+*{border-top:1px solid var(--line)}
.value h3{margin-bottom:5px}
.value .button{margin-top:8px}
.foot{padding:4px 14px 14px}
.tree{overflow-wrap:anywhere;line-height:1.55;max-height:70vh;overflow:auto}
.tree div,.tree summary{white-space:pre-wrap}
.tree .items{margin-left:4px;padding-left:14px;border-left:1px solid var(--line)}
.tree summary{cursor:pointer;list-style:none;margin-left:-2px}
.tree summary::before{content:"▸";display:inline-block;width:12px;color:var(--dim);font-size:10px}
.tree details[open]>summary::before{content:"▾"}
.tree summary::-webkit-details-marker{display:none}
.key{color:var(--text)}
.v-text{color:var(--str)}
.v-number{color:var(--num)}
.v-date{color:var(--date)}
.v-word{color:var(--soft)}
.v-error{color:var(--bad);font-weight:600}
.v-box{color:var(--dim)}
.banner .v-error{color:var(--text)}
.attempts li{padding:2px 0}
.children{padding:8px 14px}
.children li{padding:2px 0;overflow-wrap:anywhere}
.status:has(.hidden){padding:1px 5px}
.pair{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:0 12px;align-items:start}
.inset{padding:10px 14px;margin:0}
.compared{width:100%;border-collapse:collapse;table-layout:fixed}
.compared th{padding:6px 8px;text-align:left;font-size:11px;font-weight:400;color:var(--dim);overflow:hidden;text-overflow:ellipsis}
.compared th:first-child{width:64px}
.compared td{padding:6px 8px;border-top:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
.compared tr[aria-current]{background:var(--warn-bg);box-shadow:inset 3px 0 var(--warn)}
.compared a{color:var(--text)}
.compared .what{color:var(--soft);overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
@media(max-width:1020px){
  .columns{grid-template-columns:minmax(0,1fr)}
  .side{display:grid;grid-template-columns:minmax(0,1fr)}
  .event{order:-1}
  .columns:has(.event) .side{order:-1}
}
@media(max-width:820px){
  .pair{gap:0 1px}
  .compared .mono{display:none}
  .compared th:first-child{width:40px}
  .compared .num{padding-left:4px}
  .pair .facts{grid-template-columns:minmax(0,1fr);gap:0;padding:10px 12px}
  .pair .facts dd{margin-bottom:4px}
  .crumbs,.facts-line,.head,.banner{margin-left:12px;margin-right:12px}
  .head{flex-wrap:wrap}
  .menus{justify-content:flex-start}
  .menu{position:static}
  .menus{position:relative;max-width:100%}
  .head{position:relative}
  .menus{position:static}
  .menu .panel{top:auto;left:0;right:0;width:auto;max-width:none;margin-top:6px}
  .plot{--label:104px;--sum:92px}
  .plot .label{padding-left:12px}
  .travel{margin-left:0;width:100%}
  .card>header{padding:8px 12px}
  .card>header .switch{max-width:100%}
  .history tr{display:grid;grid-template-columns:auto 1fr auto;padding:5px 12px;border-top:1px solid var(--line)}
  .history tr:first-child{border:0}
  .history td{border:0;padding:0}
  .history td.num{padding-right:8px;min-width:24px}
  .history .at{grid-column:3;grid-row:1;font-size:11px}
  .history .what{grid-column:2/4;padding:0}
}`;
