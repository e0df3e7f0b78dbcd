import * as Progress from '@radix-ui/react-progress';
import type { Tone } from '../status';

interface ProgressBarProps {
  label: string;
  /** null: under way, total unknown. */
  value: number | null;
  valueText: string;
  tone: Tone;
  size?: 'large' | 'small';
}

export function ProgressBar({ label, value, valueText, tone, size = 'large' }: ProgressBarProps) {
  return (
    <Progress.Root
      className={`bar is-${tone} bar-${size}`}
      value={value}
      aria-label={label}
      getValueLabel={() => valueText}
      aria-valuetext={valueText}
    >
      <Progress.Indicator className="bar-fill" style={value === null ? undefined : { width: `${value}%` }} />
    </Progress.Root>
  );
}
