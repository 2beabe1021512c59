// Owns the large drawings: the hero's table and the banner's kettle. Everything on them is sold in the shop.
import { placed } from '../picture/index.ts';

const leaf = (x: number, y: number, turn: number, size: number): string =>
  `<path d="M0 0C${size * 0.3} ${-size * 0.4} ${size} ${-size * 0.4} ${size * 1.2} 0C${size} ${size * 0.3} ${size * 0.3} ${size * 0.3} 0 0Z" transform="translate(${x} ${y}) rotate(${turn})" fill="#6f8b66"/>`;

const branch = `<path d="M806 430C800 330 822 250 790 150" fill="none" stroke="#5c7354" stroke-width="5" stroke-linecap="round"/>
${[[804, 380, -28, 60], [803, 350, -150, 58], [808, 300, -34, 56], [807, 270, -148, 56], [803, 220, -40, 50], [800, 196, -142, 48], [792, 156, -84, 46]]
  .map(([x = 0, y = 0, turn = 0, size = 0]) => leaf(x, y, turn, size)).join('')}
<path d="M772 420H842L834 508C833 516 828 520 820 520H794C786 520 781 516 780 508Z" fill="#c26f4c"/><path d="M818 420H842L834 508C833 516 828 520 820 520H806Z" fill="#934c2e"/>`;

export const heroScene = `<svg class="scene" viewBox="0 0 900 640" preserveAspectRatio="xMidYMax slice" role="img" aria-label="A kettle, a dripper, a canister and a mug on a kitchen counter in the morning sun">
<rect class="scene-wall" width="900" height="640"/>
<path class="scene-arch" d="M150 520V290C150 150 250 50 390 50S630 150 630 290V520Z"/>
<circle class="scene-sun" cx="468" cy="212" r="74"/>
<path class="scene-hill" d="M150 440C240 372 330 410 420 396S560 352 630 392V520H150Z"/>
<path class="scene-bar" d="M384 50H396V520H384ZM150 286H630V296H150Z"/>
<rect class="scene-counter" y="516" width="900" height="124"/><rect class="scene-edge" y="516" width="900" height="8"/>
${branch}
${placed('keep-canister', 'cream', 496, 218, 0.94)}
${placed('heron-kettle', 'sage', 64, 158, 1.14)}
${placed('vale-dripper', 'clay', 316, 168, 1.12)}
${placed('moss-mug', 'cream', 576, 326, 0.66)}
</svg>`;

export const bannerScene = `<svg class="scene" viewBox="0 0 620 460" preserveAspectRatio="xMidYMax slice" role="img" aria-label="The Ridge electric kettle beside two cups">
<circle cx="330" cy="210" r="190" fill="#fff" opacity=".07"/><circle cx="330" cy="210" r="136" fill="#fff" opacity=".07"/>
${placed('ridge-kettle', 'cream', 90, -18, 1.3)}
${placed('dune-cups', 'clay', 354, 162, 0.76)}
</svg>`;
