import { ArrowDownToLine, Lock } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { plural } from '../format';

/** How close to the end still counts as reading the newest line. */
const END_SLACK_PX = 24;

/** The newest lines of a crawl. Follows the end; scrolling up or the button ends that. The crawl goes on either way. */
export function LogConsole({ lines }: { lines: string[] }) {
  const box = useRef<HTMLOListElement>(null);
  const [following, setFollowing] = useState(true);

  useEffect(() => {
    if (following && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines, following]);

  const onScroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current!;
    setFollowing(scrollHeight - scrollTop - clientHeight < END_SLACK_PX);
  };

  return (
    <section className="log" aria-label="Crawl log">
      <div className="log-head">
        <h2>Log</h2>
        <span className="muted">{plural(lines.length, 'line')}</span>
        <button type="button" className="text-button" aria-pressed={!following} onClick={() => setFollowing(!following)}>
          {following ? <Lock aria-hidden /> : <ArrowDownToLine aria-hidden />}
          {following ? 'Stop scrolling' : 'Follow the log'}
        </button>
      </div>
      {/* Focusable so that the keyboard can scroll it. */}
      <ol className="log-lines" ref={box} onScroll={onScroll} tabIndex={0} aria-label="Log lines">
        {lines.map((line, index) => (
          <li key={index}>{line}</li>
        ))}
      </ol>
    </section>
  );
}
