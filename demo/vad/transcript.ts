// The text of the recording, for who cannot hear it, and to compare the verdicts with.
import { heard } from '../assets/speech.json';

/** Writes one item for each thing that is heard. */
export function writeTranscript(list: HTMLElement): void {
  const items = heard.map(({ start, speech, text }) => {
    const time = document.createElement('span');
    time.textContent = `${start.toFixed(1)} s`;
    const what = document.createElement('div');
    what.textContent = speech ? `“${text}”` : text;
    if (speech) what.className = 'spoken';
    const item = document.createElement('li');
    item.append(time, what);
    return item;
  });
  list.append(...items);
}
