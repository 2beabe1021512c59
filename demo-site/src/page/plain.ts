// Owns pages that have no behaviour but what all share.
import { startFrame } from './frame.ts';

startFrame();
