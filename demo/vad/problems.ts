// Says every failure of the page in three parts: what happened, the engine's own words, what to do next.
import type { Failure, Placement } from './messages.ts';

/** How loud a message is. */
export type Tone = 'plain' | 'good' | 'warning' | 'error';

/** A message for the reader. */
export interface Notice {
  readonly tone: Tone;
  readonly title: string;
  readonly next: string;
  /** Code, path and words of the error beneath. */
  readonly detail?: string;
  /** Whether loading the model again may help. */
  readonly reload?: boolean;
}

const RELOAD = 'Press “Load again”; if it keeps failing, compute with WebAssembly.';

const PROBLEMS: Readonly<Record<string, readonly [title: string, next: string]>> = {
  NO_WEBGPU: [
    'There is no WebGPU here.',
    'Open this page in a current Chrome, Edge or Safari, or choose “Automatic” under “Compute with”.',
  ],
  NO_ADAPTER: [
    'WebGPU is there, but it offers no adapter.',
    'Turn on hardware acceleration in the browser’s settings and update the graphics driver, or choose “Automatic” under “Compute with”.',
  ],
  DEVICE_LOST: ['The GPU went away.', RELOAD],
  OUT_OF_MEMORY: [
    'The GPU ran out of memory.',
    'Close other tabs that use it, then press “Load again”.',
  ],
  TIMEOUT: ['The GPU did not answer in time.', RELOAD],
  INVALID_MODEL: [
    'The model did not arrive as it should.',
    'Check the connection, then press “Load again”.',
  ],
  WORKER: [
    'The worker of this page did not start.',
    'Reload the page; an extension may have blocked it.',
  ],
  RECORDING_MISSING: ['The recording did not arrive.', 'Check the connection and reload the page.'],
  FILE_UNREADABLE: [
    'This file could not be decoded.',
    'Choose a sound file that this browser plays, for example WAV, MP3, Ogg or M4A.',
  ],
  FILE_TOO_LONG: ['This file is too long for a page.', 'Choose a shorter one, or cut it.'],
  MICROPHONE_DENIED: [
    'The microphone is not allowed.',
    'Allow it for this page in the address bar, then press “Listen” again. The recording needs no permission.',
  ],
  MICROPHONE_ABSENT: [
    'There is no microphone.',
    'Plug one in and press “Listen” again, or judge the recording or a file.',
  ],
  MICROPHONE_BUSY: [
    'The microphone is taken.',
    'Close the program that uses it, then press “Listen” again.',
  ],
  MICROPHONE_INSECURE: [
    'This page may not use a microphone.',
    'Open it over https or from localhost. The recording and files work all the same.',
  ],
  MICROPHONE_LOST: [
    'The microphone went away.',
    'Plug it in again or allow it again, then press “Listen”.',
  ],
  MICROPHONE_FAILED: [
    'The microphone could not be opened.',
    'Try another browser, or judge a file.',
  ],
};

/** The notice for a failure, whatever its code. */
export function noticeOf({ code, path, message }: Failure): Notice {
  const [title, next] = PROBLEMS[code] ?? [
    'Something failed that this page did not expect.',
    RELOAD,
  ];
  // The messages of RnnError begin with the path; here it stands by itself.
  const words = path && message.startsWith(`${path}: `) ? message.slice(path.length + 2) : message;
  const detail = [code, path, words].filter(Boolean).join(' · ');
  const reload = !/^(MICROPHONE|FILE|RECORDING|WORKER)/.test(code);
  return { tone: 'error', title, next, detail, reload };
}

/** The notice for a GPU that went away, while another one is asked for. */
export function noticeOfLoss(failure: Failure): Notice {
  const { detail, title } = noticeOf(failure);
  const next = 'Another one is being asked for. The sound waits, and no frame is left out.';
  return { tone: 'warning', title, next, ...(detail && { detail }) };
}

/** The notice for a model that goes on after that. @param detail of the loss */
export function noticeOfRecovery(detail: string | undefined): Notice {
  const next = 'The model goes on after the last frame that it had judged.';
  return { tone: 'good', title: 'The GPU is back.', next, ...(detail && { detail }) };
}

/** Whether an adapter's name is that of a program rather than of a GPU. */
export const isSoftware = (adapter: string): boolean =>
  /swiftshader|llvmpipe|lavapipe|software|basic render|warp/i.test(adapter);

/** The notice for a model that is ready: where it runs, and what that means. */
export function noticeOfPlacement({ backend, adapter, reason, gaveUp }: Placement): Notice {
  if (gaveUp) {
    const { detail, title } = noticeOf(gaveUp);
    return {
      tone: 'warning',
      title: `WebGPU failed, so the CPU computes. ${title}`,
      next: 'Update the browser or the graphics driver to use the GPU.',
      ...(detail && { detail }),
      reload: true,
    };
  }
  if (backend === 'webgpu' && isSoftware(adapter)) {
    return {
      tone: 'warning',
      title: 'This adapter is software: the CPU imitates a GPU.',
      next: 'The numbers are right; the times say nothing about GPUs. Hardware acceleration may be turned off in the browser’s settings.',
    };
  }
  if (backend === 'webgpu') {
    return {
      tone: 'good',
      title: 'Ready on the GPU.',
      next: 'Play the recording, or speak yourself.',
    };
  }
  if (reason.includes('predicted against')) {
    return {
      tone: 'good',
      title: 'Ready on the CPU, which is the faster one for this model here.',
      next: `${reason}, for a frame. Play the recording, or speak yourself.`,
    };
  }
  if (reason === 'asked for') {
    return {
      tone: 'plain',
      title: `Ready on the CPU${backend === 'reference' ? ', in float64' : ''}, as requested.`,
      next: 'Play the recording, or speak yourself.',
    };
  }
  const secure = globalThis.isSecureContext;
  const noApi = !('gpu' in navigator);
  return {
    tone: 'warning',
    title: noApi
      ? 'There is no WebGPU here, so the CPU computes. Everything works, slower.'
      : 'WebGPU offers no adapter, so the CPU computes. Everything works, slower.',
    next: secure
      ? noApi
        ? 'For the GPU use a current Chrome, Edge or Safari; on Linux, Chrome may need chrome://flags/#enable-unsafe-webgpu.'
        : 'For the GPU turn on hardware acceleration in the browser’s settings and update the graphics driver.'
      : 'For the GPU open this page over https or from localhost: browsers keep WebGPU from insecure pages.',
    detail: reason,
  };
}
