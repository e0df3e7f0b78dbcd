import { useEffect, useState, type ReactNode } from 'react';

interface ConfirmButtonProps {
  onConfirm: () => void;
  children: ReactNode;
  /** What the second click says. */
  question: string;
  disabled?: boolean;
  className?: string;
  label?: string;
}

const CONFIRM_WITHIN_MS = 4_000;

/** The first click asks, the second acts. The question goes away on its own, on Escape and on blur. */
export function ConfirmButton({ onConfirm, children, question, disabled, className = '', label }: ConfirmButtonProps) {
  const [asking, setAsking] = useState(false);

  useEffect(() => {
    if (!asking) return;
    const timer = setTimeout(() => setAsking(false), CONFIRM_WITHIN_MS);
    return () => clearTimeout(timer);
  }, [asking]);

  return (
    <button
      type="button"
      className={`button ${asking ? 'button-danger' : className}`}
      disabled={disabled}
      aria-label={asking ? undefined : label}
      onBlur={() => setAsking(false)}
      onKeyDown={(event) => event.key === 'Escape' && setAsking(false)}
      onClick={() => {
        if (asking) onConfirm();
        setAsking(!asking);
      }}
    >
      <span className="button-content" aria-live="polite">
        {asking ? question : children}
      </span>
    </button>
  );
}
