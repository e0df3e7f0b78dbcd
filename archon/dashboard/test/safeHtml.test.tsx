// @vitest-environment jsdom
import { cleanup, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, describe, expect, it } from 'vitest';
import { SafeHtml } from '../src/components/SafeHtml';

afterEach(cleanup);

const shown = (html: string) => render(<SafeHtml html={html} />).container.firstElementChild!;

describe('HTML of a page', () => {
  it('keeps its structure', () => {
    const { innerHTML } = shown('<h2>Use</h2><p>Call <code>run()</code> <em>once</em>.</p><ul><li>a</li></ul>');
    expect(innerHTML).toBe('<h3>Use</h3><p>Call <code>run()</code> <em>once</em>.</p><ul><li>a</li></ul>');
  });

  it('lets no tag through that is not on the list, and no attribute', () => {
    const content = shown(
      '<script>alert(1)</script><img src=x onerror=alert(1)><p style="x" onclick="alert(1)" id="a">text</p><svg><a href="javascript:alert(1)">x</a></svg><iframe srcdoc="x"></iframe><b>bold</b>',
    );
    expect(content.innerHTML).toBe('<p>text</p>bold');
  });

  it('links to web addresses only, and tells nobody where the reader came from', () => {
    const { innerHTML } = shown('<a href="https://e.x/" onclick="x">good</a><a href=" javascript:alert(1)">bad</a><a href="data:text/html,x">worse</a>');
    expect(innerHTML).toBe('<a href="https://e.x/" rel="nofollow noopener noreferrer ugc" target="_blank">good</a>badworse');
  });

  it('ends at a depth that no text needs', () => {
    expect(shown(`${'<blockquote>'.repeat(5_000)}deep`).textContent).toBe('');
  });

  it('makes a button of a mark, where marks are asked for', async () => {
    const cited: number[] = [];
    render(<SafeHtml html='<p>So it is <a href="#cite-2">2</a>.</p>' onCite={(n) => cited.push(n)} />);
    await userEvent.click(screen.getByRole('button', { name: 'Passage 2' }));
    expect(cited).toEqual([2]);
  });
});
