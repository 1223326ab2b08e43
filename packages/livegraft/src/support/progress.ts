/** How a stage tells what it does: one stream of events, which the terminal, plain lines and NDJSON each render in their own way. */

export interface Progress {
  /** Runs `work` as a named step; its end, failure and duration are reported too. Steps nest. */
  step<T>(title: string, work: (progress: Progress) => Promise<T>): Promise<T>;
  /** A short state inside the running step, replacing the one before: "31 of 70 MB". */
  detail(text: string): void;
  /** A line that stays: explanation, a result. */
  say(text: string): void;
  /** A measured state for programs; people get theirs as a detail. */
  sample?(data: Readonly<Record<string, unknown>>): void;
}

/** Reports nothing: for tests and for callers that do not care. */
export const silent: Progress = {
  step: (_title, work) => work(silent),
  detail: () => undefined,
  say: () => undefined,
};
