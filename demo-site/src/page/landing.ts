// Owns the front page: the greeting of a campaign and the coffee measure.
import { arrivals } from '../view/landing.ts';
import { find, startFrame } from './frame.ts';

const millilitresPerCup = 250;
const gramsPerLitre = 60;

function greet(): void {
  const campaign = new URLSearchParams(location.search).get('utm_campaign');
  for (const link of document.querySelectorAll<HTMLAnchorElement>('.arrivals a')) {
    if (link.search === location.search) link.setAttribute('aria-current', 'page');
  }
  const arrival = arrivals.find((each) => each.campaign === campaign);
  if (arrival !== undefined) find('#greeting').textContent = arrival.greeting;
}

function measure(): void {
  const cups = Number(find<HTMLInputElement>('#cups').value);
  const water = cups * millilitresPerCup;
  const seconds = 120 + cups * 30;
  find('#cups-shown').textContent = String(cups);
  find('#coffee-shown').textContent = `${Math.round((water * gramsPerLitre) / 1000)} g`;
  find('#water-shown').textContent = water < 1000 ? `${water} ml` : `${water / 1000} l`;
  find('#time-shown').textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

startFrame();
greet();
measure();
find('#cups').addEventListener('input', measure);
find('.measure-form').addEventListener('submit', (event) => event.preventDefault());
