import { useRef } from 'react';
import { isTerminal, type CrawlProgressData } from '../services/crawlProgressService';

const SAMPLES = 90;
const WIDTH = 600;
const HEIGHT = 48;

interface Sample {
  at: number;
  speed: number;
}

/** Pages a second since this view was opened, one point for each update that told a speed. */
export function Throughput({ progress }: { progress: CrawlProgressData }) {
  const samples = useSamples(progress);
  if (samples.length < 3 || isTerminal(progress.status) || progress.status === 'embedding') return null;
  const most = Math.max(...samples.map(({ speed }) => speed), 0.1);
  const begin = samples[0]!.at;
  const span = Math.max(1, samples.at(-1)!.at - begin);
  const points = samples.map(({ at, speed }) => `${(((at - begin) / span) * WIDTH).toFixed(1)},${(HEIGHT - 2 - (speed / most) * (HEIGHT - 4)).toFixed(1)}`);
  const newest = samples.at(-1)!.speed;

  return (
    <figure className="throughput">
      <figcaption className="muted">Pages a second, at most {most.toFixed(1)}</figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={`Pages a second: now ${newest.toFixed(1)}, at most ${most.toFixed(1)}`}>
        <polygon className="throughput-area" points={`0,${HEIGHT} ${points.join(' ')} ${WIDTH},${HEIGHT}`} />
        <polyline className="throughput-line" points={points.join(' ')} />
      </svg>
    </figure>
  );
}

/** Kept beside the state: each update brings its own render, and a sample belongs to exactly one sequence. */
function useSamples({ pagesPerSecond, sequence = 0, progressId }: CrawlProgressData): Sample[] {
  const kept = useRef<{ id: string; sequence: number; samples: Sample[] }>({ id: '', sequence: 0, samples: [] });
  if (kept.current.id !== progressId) kept.current = { id: progressId, sequence: 0, samples: [] };
  if (typeof pagesPerSecond === 'number' && sequence > kept.current.sequence) {
    kept.current.sequence = sequence;
    kept.current.samples = [...kept.current.samples, { at: Date.now(), speed: pagesPerSecond }].slice(-SAMPLES);
  }
  return kept.current.samples;
}
