export interface FactProps {
  name: string;
  value: string;
  of?: string | null;
  unit?: string;
  bad?: boolean;
  wordy?: boolean;
}

/** One figure and its name; stands in a <dl>. */
export function Fact({ name, value, of, unit, bad, wordy }: FactProps) {
  return (
    <div className="fact">
      <dt>{name}</dt>
      <dd className={bad ? 'is-bad' : wordy ? 'is-wordy' : undefined}>
        {value}
        {of && <span className="fact-of"> of {of}</span>}
        {unit && value !== '–' && <span className="fact-of"> {unit}</span>}
      </dd>
    </div>
  );
}
