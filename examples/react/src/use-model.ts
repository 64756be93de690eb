import { useEffect, useState } from 'react';
import { loadModel, type Model } from 'webgpu-rnn';

/** The model of a file: made in an effect, disposed of in its cleanup, so that StrictMode's second mount leaks nothing. */
export function useModel(url: string): Model | Error | undefined {
  const [model, setModel] = useState<Model | Error>();
  useEffect(() => {
    const aborter = new AbortController();
    let made: Model | undefined;
    loadModel(url, { signal: aborter.signal }).then(
      (loaded) => {
        if (aborter.signal.aborted) return loaded.dispose();
        made = loaded;
        setModel(loaded);
      },
      (error: unknown) => {
        if (!aborter.signal.aborted) setModel(error as Error);
      },
    );
    return () => {
      aborter.abort();
      made?.dispose();
      setModel(undefined);
    };
  }, [url]);
  return model;
}
