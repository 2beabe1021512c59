// Owns the drawings of the brewers.
import { shadow, type Paint } from './material.ts';

export function vale({ round, glass, brew, tone }: Paint): string {
  const ribs = [158, 176, 196, 216, 236].map((x) => `<path d="M${x} 104L${200 + (x - 200) * 0.42} 178" stroke="${tone.dark}" stroke-width="3" stroke-linecap="round" opacity=".45"/>`).join('');
  return `${shadow(200, 84)}
<path d="M268 222C318 218 322 290 272 292" fill="none" stroke="#9fb0b4" stroke-width="9" opacity=".75"/>
<path d="M268 222C318 218 322 290 272 292" fill="none" stroke="#fff" stroke-width="3" opacity=".6"/>
<path d="M122 268C118 300 124 328 146 328H254C276 328 282 300 278 268C240 276 160 276 122 268Z" fill="${brew}"/>
<ellipse cx="200" cy="269" rx="78" ry="8" fill="#70472f"/>
<path d="M152 204C152 216 120 244 119 286C119 316 128 331 148 331H252C272 331 281 316 281 286C280 244 248 216 248 204Z" fill="${glass}" stroke="#fff" stroke-opacity=".5" stroke-width="2"/>
<path d="M136 252C130 268 129 296 136 314" fill="none" stroke="#fff" stroke-width="6" stroke-linecap="round" opacity=".55"/>
<path d="M200 206V262" stroke="#4a2c1c" stroke-width="3" opacity=".8"/>
<path d="M122 92H278L231 186H169Z" fill="${round}"/>${ribs}
<ellipse cx="200" cy="92" rx="79" ry="14" fill="${tone.dark}"/>
<ellipse cx="200" cy="93" rx="69" ry="10" fill="#f6efe2"/><ellipse cx="200" cy="95" rx="56" ry="7" fill="#4a2c1c"/>
<path d="M272 112C312 104 316 152 258 152" fill="none" stroke="${tone.dark}" stroke-width="12" stroke-linecap="round"/>
<path d="M272 110C306 104 310 146 260 149" fill="none" stroke="${tone.base}" stroke-width="6" stroke-linecap="round"/>
<path d="M140 190C140 180 260 180 260 190V196C260 206 140 206 140 196Z" fill="${round}"/>`;
}

export function loch({ round, glass, brew, tone, wood, oak }: Paint): string {
  return `${shadow(194, 84)}
<path d="M262 168H300C322 168 326 178 325 194L318 278C317 294 306 300 290 300H262" fill="none" stroke="${oak.dark}" stroke-width="17" stroke-linejoin="round"/>
<path d="M266 165H299C316 165 320 175 319 190L312 274C311 288 303 294 290 294H266" fill="none" stroke="${oak.base}" stroke-width="8" stroke-linejoin="round"/>
<path d="M128 208H260V322H128Z" fill="${brew}"/><ellipse cx="194" cy="208" rx="66" ry="9" fill="#8a5c3d"/>
<ellipse cx="194" cy="206" rx="62" ry="6" fill="#b98a62" opacity=".6"/>
<path d="M194 96V206" stroke="#aab2b6" stroke-width="6"/><path d="M192.5 96V206" stroke="#f1f4f5" stroke-width="2"/>
<path d="M132 198H256" stroke="#8b949a" stroke-width="7" stroke-linecap="round"/>
<path d="M126 146H262V326H126Z" fill="${glass}"/>
<path d="M142 162V306" stroke="#fff" stroke-width="7" stroke-linecap="round" opacity=".5"/>
<path d="M120 166H268V182H120Z" fill="${round}"/>
<path d="M120 300H268V324Q268 331 260 331H128Q120 331 120 324Z" fill="${round}"/>
<path d="M126 182H138V300H126Z" fill="${tone.dark}"/><path d="M250 182H262V300H250Z" fill="${tone.deep}"/>
<path d="M120 150L104 138L122 134Z" fill="${tone.dark}"/>
<path d="M116 150C116 128 272 128 272 150V154C262 160 126 160 116 154Z" fill="${round}"/>
<path d="M154 136C160 120 228 120 234 136C224 142 164 142 154 136Z" fill="${round}"/>
<circle cx="194" cy="86" r="17" fill="${wood}"/><path d="M184 80C187 74 192 72 197 73" fill="none" stroke="${oak.light}" stroke-width="4" stroke-linecap="round"/>`;
}

export function ember({ tone, wood, oak, round }: Paint): string {
  const { base, light, dark, deep } = tone;
  const facets = (top: readonly number[], y0: number, bottom: readonly number[], y1: number): string =>
    [dark, light, base, dark, deep]
      .map((fill, at) => `<path d="M${top[at]} ${y0}L${top[at + 1]} ${y0}L${bottom[at + 1]} ${y1}L${bottom[at]} ${y1}Z" fill="${fill}" stroke="${fill}" stroke-width=".6"/>`)
      .join('');
  return `${shadow(196, 84)}
<path d="M262 150L318 142C330 142 334 150 331 160L312 238C309 248 298 250 294 242" fill="none" stroke="${oak.deep}" stroke-width="17" stroke-linecap="round" stroke-linejoin="round"/>
<path d="M264 148L314 139C324 139 327 146 325 154L307 232" fill="none" stroke="${oak.base}" stroke-width="8" stroke-linecap="round" stroke-linejoin="round"/>
<path d="M134 128L100 140L142 190Z" fill="${dark}"/><path d="M134 128L104 139L140 168Z" fill="${base}"/>
${facets([150, 168, 196, 224, 242, 252], 222, [116, 140, 176, 222, 258, 276], 326)}
<path d="M116 326H276V330H116Z" fill="${deep}"/>
<path d="M140 208H256L252 224H146Z" fill="${deep}"/><path d="M140 208H256V213H140Z" fill="${round}"/>
${facets([130, 152, 182, 218, 246, 264], 128, [150, 168, 190, 214, 236, 248], 208)}
<path d="M128 128L196 100L266 128Z" fill="${base}"/><path d="M128 128L196 100L184 128Z" fill="${light}"/><path d="M222 128L196 100L266 128Z" fill="${dark}"/>
<path d="M126 126H268V132H126Z" fill="${deep}"/>
<path d="M188 104C188 94 182 90 182 82C182 72 210 72 210 82C210 90 204 94 204 104Z" fill="${wood}"/>
<circle cx="248" cy="276" r="6" fill="${oak.base}"/><circle cx="247" cy="275" r="2.5" fill="${light}"/>`;
}
