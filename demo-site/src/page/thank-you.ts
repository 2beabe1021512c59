// Owns the page after the order: shows it and reports it once.
import { lastOrder, reportOnce } from '../order.ts';
import { noOrder, thanks } from '../view/thank-you.ts';
import { find, startFrame } from './frame.ts';

startFrame();
const order = lastOrder();
find('#thanks').innerHTML = order === undefined ? noOrder : thanks(order);
if (order !== undefined) reportOnce(order);
