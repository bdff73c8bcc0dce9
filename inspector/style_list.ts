/**
 * The styles of the list.
 *
 * @module
 */

/** Rules; one for a line. */
export const LIST_STYLE = `.runs{width:100%;border-collapse:collapse;table-layout:fixed}
.runs th{
  padding:7px 8px; text-align:left; font-size:11px; font-weight:400; color:var(--dim); border-top:1px solid var(--line);
  border-bottom:1px solid var(--line); background:var(--sunk);
}
.runs td{padding:8px;border-bottom:1px solid var(--line);vertical-align:middle;overflow-wrap:anywhere}
.runs tbody tr:last-child td{border:0}
.runs tr>:first-child{padding-left:14px;width:118px}
.runs tr>:last-child{padding-right:14px}
.runs th:nth-child(2){width:24%}
.runs th:nth-child(4){width:172px}
.runs th:nth-child(5){width:98px}
.runs th:nth-child(6){width:104px}
.runs th:nth-child(7){width:72px}
.runs tbody tr{position:relative}
.runs tbody tr:hover,.runs tbody tr:focus-within{background:var(--sunk)}
.runs .id{color:var(--text);font-weight:700}
.runs .id::after{content:"";position:absolute;inset:0}
.num{text-align:right!important;font-variant-numeric:tabular-nums;white-space:nowrap}
.runs td.num{color:var(--soft)}
.sub{font-size:12px;color:var(--soft)}
.sub.dim{color:var(--dim)}
.sub span span{white-space:nowrap}
.runs td:nth-child(3) div,.runs .sub{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.now{color:var(--soft)}
.now b{color:var(--text)}
.now .failed{color:var(--bad)}
.runs .id{display:block;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.shares{display:block;width:100%;border-radius:4px;background:var(--sunk)}
.pager{display:flex;justify-content:flex-end;gap:8px;padding:10px 14px;border-top:1px solid var(--line)}
@media(max-width:820px){
  .runs thead,.history thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
  .runs,.runs tbody{display:block}
  .runs tr{display:grid;grid-template-columns:1fr auto;gap:2px 10px;padding:10px 12px;border-bottom:1px solid var(--line)}
  .runs tbody tr:last-child{border:0}
  .runs td,.runs tr>:first-child,.runs tr>:last-child{display:block;padding:0;border:0;width:auto;min-width:0}
  .runs td:nth-child(1){grid-area:1/2;align-self:center}
  .runs td:nth-child(2){grid-area:1/1}
  .runs td:nth-child(3){grid-area:2/1}
  .runs td:nth-child(6){grid-area:2/2}
  .runs td:nth-child(4),.runs td:nth-child(5),.runs td:nth-child(7),.runs td:nth-child(3) .sub{display:none}
}`;
