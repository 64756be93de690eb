'use client';

import { useEffect, useState } from 'react';
import { openBrackets } from './brackets';
import { useModel } from './use-model';

export default function Page() {
  const model = useModel('/brackets.safetensors');
  const [words, setWords] = useState('…');
  useEffect(() => {
    if (!model) return;
    if (model instanceof Error) return setWords(model.message);
    openBrackets(model, '((x)(').then(
      (open) => setWords(`${open} open brackets, on ${model.backend}`),
      () => undefined, // disposed of by an unmount
    );
  }, [model]);
  return <p id="result">{words}</p>;
}
