import { StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { openBrackets } from './brackets';
import { useModel } from './use-model';

function Brackets() {
  const model = useModel('/brackets.safetensors');
  const [text, setText] = useState('((x)(');
  const [open, setOpen] = useState<number>();
  useEffect(() => {
    if (!model || model instanceof Error) return;
    let isLatest = true;
    openBrackets(model, text).then(
      (depth) => isLatest && setOpen(depth),
      () => undefined, // disposed of by an unmount
    );
    return () => {
      isLatest = false;
    };
  }, [model, text]);
  if (model instanceof Error) return <p id="result">{model.message}</p>;
  return (
    <>
      <label>
        Brackets{' '}
        <input
          value={text}
          onChange={({ target }) => setText(target.value.replace(/[^()x]/g, ''))}
        />
      </label>
      <p id="result">
        {open === undefined || !model ? '…' : `${open} open brackets, on ${model.backend}`}
      </p>
    </>
  );
}

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <Brackets />
  </StrictMode>,
);
