import { Component, type ReactNode } from 'react';
import { ErrorNotice } from './Notice';

interface Props {
  /** A change of it, a new address say, is a new try. */
  resetKey: string;
  children: ReactNode;
}

/** A view that breaks shows its error in its place; the header and the other views stay. */
export class ErrorBoundary extends Component<Props, { error: unknown }> {
  override state = { error: null as unknown };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override componentDidUpdate(before: Props) {
    if (before.resetKey !== this.props.resetKey && this.state.error !== null) {
      this.setState({ error: null });
    }
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    return <ErrorNotice error={this.state.error} onRetry={() => this.setState({ error: null })} />;
  }
}
