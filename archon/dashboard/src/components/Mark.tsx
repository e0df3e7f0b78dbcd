/** Two nested arches: the product's mark. */
export function Mark() {
  return (
    <svg className="mark" viewBox="0 0 32 32" aria-hidden focusable="false">
      <rect width="32" height="32" rx="8" />
      <g fill="none" strokeWidth="2.6" strokeLinecap="round">
        <path d="M7.5 24V16a8.500 8.500 0 0 1 17 0v8" />
        <path d="M13 24v-7.500a3 3 0 0 1 6 0V24" />
      </g>
    </svg>
  );
}
