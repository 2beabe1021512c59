// Owns the drawings of what stands on the table: cups, scale, canister.
import { shadow, type Paint } from './material.ts';

const steam = (x: number, y: number): string =>
  [0, 22, 44].map((dx, at) => `<path d="M${x + dx} ${y}c-12 -16 12 -24 0 -${at === 1 ? 48 : 38}" fill="none" stroke="#fff" stroke-width="5" stroke-linecap="round" opacity=".45"/>`).join('');

export function dune({ round, wood, tone, brew }: Paint): string {
  const cup = (x: number, y: number, filled: boolean): string => `<g transform="translate(${x} ${y})">
<path d="M0 0L12 92C13 101 19 106 28 106H84C93 106 99 101 100 92L112 0Z" fill="${wood}"/>
<path d="M0 0L7 56C22 64 34 50 50 58C66 66 84 52 105 57L112 0Z" fill="${round}"/>
<ellipse cx="56" cy="0" rx="56" ry="11" fill="${tone.dark}"/><ellipse cx="56" cy="1" rx="50" ry="8.5" fill="${filled ? brew : tone.deep}"/>
<path d="M16 18L21 48" stroke="#fff" stroke-width="5" stroke-linecap="round" opacity=".4"/></g>`;
  return `${shadow(144, 54)}${shadow(258, 54)}${steam(236, 196)}${cup(88, 225, false)}${cup(202, 225, true)}`;
}

export function moss({ round, tone, brew }: Paint): string {
  return `${shadow(188, 88)}${steam(164, 150)}
<path d="M262 208C336 196 336 298 256 292" fill="none" stroke="${tone.deep}" stroke-width="22" stroke-linecap="round"/>
<path d="M262 206C328 196 328 290 256 286" fill="none" stroke="${tone.base}" stroke-width="13" stroke-linecap="round"/>
<path d="M278 206C300 206 312 220 313 240" fill="none" stroke="${tone.light}" stroke-width="4" stroke-linecap="round" opacity=".8"/>
<path d="M102 178L110 296C112 320 124 331 146 331H228C250 331 262 320 264 296L272 178Z" fill="${round}"/>
<path d="M109 284C130 296 158 278 186 288C214 298 242 280 265 286L264 297C262 320 250 331 228 331H146C124 331 112 320 110 296Z" fill="#e9d9bd" opacity=".92"/>
<path d="M110 300C128 324 246 324 264 300C262 320 250 331 228 331H146C124 331 112 320 110 300Z" fill="#8b7350" opacity=".3"/>
<ellipse cx="187" cy="178" rx="85" ry="16" fill="${tone.light}"/><ellipse cx="187" cy="179" rx="77" ry="12.5" fill="${tone.deep}"/><ellipse cx="187" cy="182" rx="71" ry="9.5" fill="${brew}"/>
<ellipse cx="176" cy="182" rx="34" ry="4" fill="#a8744e" opacity=".55"/>
<path d="M126 208L131 262" stroke="#fff" stroke-width="8" stroke-linecap="round" opacity=".35"/>`;
}

export function feather({ round, tone, glass }: Paint): string {
  const digit = 'font-family="ui-monospace,Menlo,Consolas,monospace" font-weight="600" fill="#e9f4ee"';
  return `${shadow(200, 144)}
<path d="M92 232H308L350 300H50Z" fill="${tone.base}"/><path d="M92 232H308L350 300H50Z" fill="#fff" opacity=".08"/>
<path d="M92 232H200L128 300H50Z" fill="#fff" opacity=".1"/>
<path d="M50 300H350V320Q350 331 338 331H62Q50 331 50 320Z" fill="${round}"/>
<path d="M50 300H350V304H50Z" fill="#fff" opacity=".22"/>
<path d="M64 306H172V325H64Z" fill="#141816"/><text x="72" y="321" font-size="15" ${digit}>18.0 g</text>
<path d="M182 306H290V325H182Z" fill="#141816"/><text x="190" y="321" font-size="15" ${digit}>00:24</text>
<circle cx="318" cy="315" r="6" fill="none" stroke="${tone.light}" stroke-width="2"/>
<ellipse cx="204" cy="272" rx="64" ry="9" fill="#000" opacity=".22"/>
<path d="M148 236C152 262 168 272 180 272H220C232 272 248 262 252 236Z" fill="#4a2c1c"/><ellipse cx="200" cy="236" rx="52" ry="8" fill="#8a5c3d"/>
<path d="M138 176H262L252 240C248 264 234 275 218 275H182C166 275 152 264 148 240Z" fill="${glass}" stroke="#fff" stroke-opacity=".6" stroke-width="2"/>
<ellipse cx="200" cy="176" rx="62" ry="9" fill="#fff" opacity=".25"/><ellipse cx="200" cy="176" rx="62" ry="9" fill="none" stroke="#fff" stroke-opacity=".6" stroke-width="2"/>
<path d="M156 192L162 232" stroke="#fff" stroke-width="6" stroke-linecap="round" opacity=".6"/>`;
}

export function keep({ round, wood, tone, oak }: Paint): string {
  return `${shadow(200, 84)}
<path d="M118 150H282V306C282 322 272 331 256 331H144C128 331 118 322 118 306Z" fill="${round}"/>
<path d="M118 300C140 314 260 314 282 300V306C282 322 272 331 256 331H144C128 331 118 322 118 306Z" fill="${tone.deep}" opacity=".32"/>
<path d="M112 140H288V152C288 158 284 160 278 160H122C116 160 112 158 112 152Z" fill="${tone.deep}"/>
<path d="M116 112H284V142C284 147 280 148 276 148H124C120 148 116 147 116 142Z" fill="${wood}"/>
<ellipse cx="200" cy="112" rx="84" ry="14" fill="${oak.light}"/><ellipse cx="200" cy="112" rx="66" ry="10" fill="none" stroke="${oak.base}" stroke-width="2"/><ellipse cx="200" cy="112" rx="42" ry="6" fill="none" stroke="${oak.base}" stroke-width="2"/>
<path d="M188 108C188 98 184 94 184 88C184 80 216 80 216 88C216 94 212 98 212 108Z" fill="${wood}"/>
<rect x="162" y="204" width="76" height="62" rx="6" fill="#faf4e8"/><path d="M176 222H224M176 234H212M176 246H218" stroke="#8a7a60" stroke-width="3" stroke-linecap="round"/>
<path d="M140 178V284" stroke="#fff" stroke-width="7" stroke-linecap="round" opacity=".3"/>`;
}
