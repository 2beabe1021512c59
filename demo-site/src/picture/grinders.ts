// Owns the drawings of the grinders.
import { shadow, type Paint } from './material.ts';

export function tern({ round, wood, tone, oak }: Paint): string {
  const knurl = Array.from({ length: 11 }, (_, at) => `<path d="M${155 + at * 9} 226V246" stroke="${tone.deep}" stroke-width="2" opacity=".55"/>`).join('');
  return `${shadow(200, 56)}
<path d="M196 98L292 108" stroke="${tone.deep}" stroke-width="11" stroke-linecap="round"/><path d="M196 95L292 105" stroke="#aeb6ba" stroke-width="6" stroke-linecap="round"/>
<path d="M278 106C274 84 276 60 282 54C290 46 306 48 310 58C314 70 308 92 302 110C296 114 284 112 278 106Z" fill="${wood}"/>
<path d="M288 62C291 57 297 56 301 59" fill="none" stroke="${oak.light}" stroke-width="4" stroke-linecap="round"/>
<path d="M188 90H212V116H188Z" fill="${tone.deep}"/><ellipse cx="200" cy="91" rx="12" ry="4" fill="#aeb6ba"/>
<path d="M156 118C156 106 244 106 244 118V226H156Z" fill="${round}"/>
<ellipse cx="200" cy="118" rx="44" ry="8" fill="${tone.dark}"/><ellipse cx="200" cy="117" rx="36" ry="5" fill="${tone.base}"/>
<path d="M150 222H250V250H150Z" fill="${round}"/>${knurl}
<path d="M156 252H244V318C244 327 238 331 230 331H170C162 331 156 327 156 318Z" fill="${wood}"/>
<path d="M156 252H244V260H156Z" fill="${oak.deep}" opacity=".4"/>
<path d="M176 132V212" stroke="#fff" stroke-width="5" stroke-linecap="round" opacity=".35"/>
<path d="M192 160H226M192 170H214" stroke="${tone.light}" stroke-width="2.5" opacity=".55"/>`;
}

export function quarry({ round, glass, tone, wood, oak, brew }: Paint): string {
  const beans = [[164, 118], [184, 124], [206, 116], [226, 122], [174, 108], [196, 106], [218, 107], [238, 112], [190, 96], [212, 95]]
    .map(([x, y], at) => `<g transform="translate(${x} ${y}) rotate(${(at * 47) % 180})"><ellipse rx="11" ry="7.5" fill="${at % 3 === 0 ? '#6b4228' : '#4a2c1c'}"/><path d="M-9 0Q0 3 9 0" fill="none" stroke="#24130a" stroke-width="1.8"/></g>`)
    .join('');
  return `${shadow(202, 82)}
<path d="M146 60H258L236 138H168Z" fill="#d9e2e4" opacity=".25"/>${beans}
<path d="M142 60H262L238 140H166Z" fill="${glass}" stroke="#fff" stroke-opacity=".5" stroke-width="2"/>
<path d="M136 60C136 48 268 48 268 60C262 66 142 66 136 60Z" fill="${wood}"/>
<path d="M140 140H264C274 140 278 146 278 154V222H206V318H126V154C126 146 130 140 140 140Z" fill="${round}"/>
<path d="M206 222H278V232C278 240 272 242 266 242H206Z" fill="${tone.deep}"/>
<path d="M126 304H286Q292 304 292 312V324Q292 331 284 331H120Q112 331 112 324V312Q112 304 120 304Z" fill="${round}"/>
<path d="M112 318H292V324Q292 331 284 331H120Q112 331 112 324Z" fill="${tone.deep}" opacity=".4"/>
<path d="M224 242H262L256 254H230Z" fill="${tone.dark}"/>
<path d="M214 262H272L266 300C265 304 262 305 258 305H228C224 305 221 304 220 300Z" fill="${wood}"/><ellipse cx="243" cy="262" rx="29" ry="5" fill="${oak.deep}"/><ellipse cx="243" cy="263" rx="23" ry="3" fill="${brew}"/>
<circle cx="166" cy="196" r="24" fill="${tone.deep}"/><circle cx="166" cy="194" r="20" fill="${oak.base}"/><circle cx="166" cy="194" r="20" fill="none" stroke="${oak.light}" stroke-width="2"/><path d="M166 178V188" stroke="#fff" stroke-width="4" stroke-linecap="round"/>
<circle cx="166" cy="246" r="6" fill="${tone.light}" stroke="${tone.deep}" stroke-width="2"/>`;
}
