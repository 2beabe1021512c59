// Owns the drawings of the kettles.
import { shadow, type Paint } from './material.ts';

export function heron({ round, wood, tone, oak }: Paint): string {
  const neck = 'M142 296C92 300 106 236 92 204C85 187 70 180 53 190';
  return `${shadow(198, 86)}
<path d="M258 214C318 196 344 226 335 272C331 293 318 305 298 309" fill="none" stroke="${oak.dark}" stroke-width="17" stroke-linecap="round"/>
<path d="M258 212C314 196 338 226 331 268C327 288 316 299 298 304" fill="none" stroke="${oak.base}" stroke-width="10" stroke-linecap="round"/>
<path d="M246 216L262 211" stroke="${tone.deep}" stroke-width="14" stroke-linecap="round"/>
<path d="M266 308L300 307" stroke="${tone.deep}" stroke-width="10" stroke-linecap="round"/>
<path d="${neck}" fill="none" stroke="${tone.dark}" stroke-width="17" stroke-linecap="round"/>
<path d="${neck}" fill="none" stroke="${tone.base}" stroke-width="11" stroke-linecap="round" transform="translate(-1.5 -1.5)"/>
<path d="M130 284C101 280 108 234 94 205" fill="none" stroke="${tone.light}" stroke-width="3" stroke-linecap="round" opacity=".75"/>
<path d="M152 196L122 310C120 324 127 331 140 331H258C271 331 278 324 276 310L246 196Z" fill="${round}"/>
<path d="M121 312C150 322 248 322 277 312C277 325 270 331 258 331H140C128 331 121 325 121 312Z" fill="${tone.deep}" opacity=".38"/>
<path d="M152 196C152 184 246 184 246 196C246 206 152 206 152 196Z" fill="${tone.dark}"/>
<path d="M156 193C160 168 238 168 242 193C236 202 162 202 156 193Z" fill="${round}"/>
<path d="M191 176C191 168 187 162 187 154C187 145 211 145 211 154C211 162 207 168 207 176Z" fill="${wood}"/>
<ellipse cx="199" cy="151" rx="12" ry="4" fill="${oak.light}"/>`;
}

export function pond({ round, wood, tone, oak }: Paint): string {
  return `${shadow(204, 104)}
<path d="M132 222C124 84 284 84 276 222" fill="none" stroke="${tone.deep}" stroke-width="9"/>
<path d="M158 128C178 108 230 108 250 128" fill="none" stroke="${oak.dark}" stroke-width="21" stroke-linecap="round"/>
<path d="M158 126C178 107 230 107 250 126" fill="none" stroke="${oak.base}" stroke-width="14" stroke-linecap="round"/>
<path d="M166 119C186 108 214 107 232 113" fill="none" stroke="${oak.light}" stroke-width="3.5" stroke-linecap="round" opacity=".8"/>
<path d="M118 268L62 212L84 192L146 226Z" fill="${tone.dark}"/>
<path d="M118 256L66 209L78 197L142 232Z" fill="${tone.base}"/>
<ellipse cx="73" cy="202" rx="17" ry="7" transform="rotate(-42 73 202)" fill="${tone.deep}"/>
<path d="M98 288C98 224 140 192 204 192C268 192 310 224 310 288C310 316 296 331 270 331H138C112 331 98 316 98 288Z" fill="${round}"/>
<path d="M98 290C130 304 278 304 310 290C309 317 296 331 270 331H138C112 331 99 317 98 290Z" fill="${tone.deep}" opacity=".3"/>
<path d="M128 240C136 222 150 213 166 208" fill="none" stroke="#fff" stroke-width="7" stroke-linecap="round" opacity=".5"/>
<ellipse cx="204" cy="200" rx="58" ry="11" fill="${tone.dark}"/>
<path d="M150 197C158 178 250 178 258 197C246 206 162 206 150 197Z" fill="${round}"/>
<path d="M190 182C190 174 186 170 186 163C186 153 222 153 222 163C222 170 218 174 218 182Z" fill="${wood}"/>`;
}

export function ridge({ round, tone, wood, oak }: Paint): string {
  return `${shadow(204, 112)}
<path d="M96 318H312Q320 318 320 326Q320 332 312 332H96Q88 332 88 326Q88 318 96 318Z" fill="${tone.deep}"/>
<path d="M98 318H310V322H98Z" fill="${tone.dark}"/>
<circle cx="292" cy="325" r="3" fill="#ffb454"/>
<path d="M264 138H310C330 138 338 148 336 166L324 274C322 290 312 298 296 298H272" fill="none" stroke="${tone.deep}" stroke-width="19" stroke-linejoin="round"/>
<path d="M264 135H308C324 135 331 145 330 162L319 270C317 284 308 292 296 292H272" fill="none" stroke="${tone.base}" stroke-width="8" stroke-linejoin="round"/>
<path d="M148 148L90 132C84 146 98 176 134 196Z" fill="${tone.dark}"/>
<path d="M148 146L92 132C90 142 102 164 136 182Z" fill="${tone.base}"/>
<path d="M146 128L116 302C114 312 120 318 130 318H280C290 318 295 312 293 302L266 128Z" fill="${round}"/>
<path d="M146 128L142 152H270L266 128Z" fill="${tone.deep}" opacity=".35"/>
<path d="M144 128C146 112 264 112 268 128C262 136 150 136 144 128Z" fill="${round}"/>
<ellipse cx="206" cy="118" rx="20" ry="5" fill="${tone.deep}"/>
<path d="M192 116C192 100 220 100 220 116C216 120 196 120 192 116Z" fill="${wood}"/>
<circle cx="204" cy="258" r="26" fill="${tone.deep}"/><circle cx="204" cy="256" r="22" fill="${oak.base}"/>
<circle cx="204" cy="256" r="22" fill="none" stroke="${oak.light}" stroke-width="2"/>
<path d="M204 238V250" stroke="#fff" stroke-width="4" stroke-linecap="round"/>`;
}
