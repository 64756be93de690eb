// The page that streams run in: main.ts of the folder above drives it.
import { watchAdapters } from '../watch-adapters.ts';
import { soak, type SoakReport, type SoakTask } from '../soak.ts';

declare global {
  interface Window {
    soak?: (task: SoakTask) => Promise<SoakReport>;
    /** Chromium, with `--expose-gc`. */
    gc?: () => void;
  }
}

const heap = (): number => {
  window.gc?.();
  return (performance as { memory?: { usedJSHeapSize: number } }).memory?.usedJSHeapSize ?? 0;
};

window.soak = (task) => soak(task, { heap, watch: (seen) => watchAdapters(navigator.gpu, seen) });
