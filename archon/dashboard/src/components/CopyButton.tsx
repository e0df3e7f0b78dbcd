import { Check, Copy } from 'lucide-react';
import { useEffect, useState } from 'react';

const SAID_FOR_MS = 2_000;

/** Puts a text on the clipboard and says so for a moment. */
export function CopyButton({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [outcome, setOutcome] = useState<'copied' | 'refused' | null>(null);
  useEffect(() => {
    if (!outcome) return;
    const timer = setTimeout(() => setOutcome(null), SAID_FOR_MS);
    return () => clearTimeout(timer);
  }, [outcome]);

  // Browsers give the clipboard to https and loopback only.
  const copy = () =>
    Promise.resolve(navigator.clipboard?.writeText(text) ?? Promise.reject(new Error('no clipboard')))
      .then(() => setOutcome('copied'))
      .catch(() => setOutcome('refused'));

  return (
    <button type="button" className="text-button copy" aria-label={outcome ? undefined : label} onClick={copy}>
      {outcome === 'copied' ? <Check aria-hidden /> : <Copy aria-hidden />}
      <span aria-live="polite">{outcome === 'copied' ? 'Copied' : outcome ? 'Select the text to copy it' : 'Copy'}</span>
    </button>
  );
}
