import { useWords } from "../../../preferences";
import classes from "../coverage.module.css";
import { REASONS } from "../heat";

/** What the colours and patterns of the map mean. */
export function Legend() {
  const { coverage } = useWords();
  const kinds: [string, string][] = [
    ["whole", coverage.whole],
    ...REASONS.map((reason): [string, string] => [reason, coverage.reason[reason] ?? reason]),
    ["not_asked", coverage.notAsked],
    ["blank", coverage.blank],
  ];
  return (
    <ul className={classes.legend} aria-label={coverage.legend}>
      {kinds.map(([kind, text]) => (
        <li key={kind}>
          <span className={classes.swatch} data-kind={kind} aria-hidden />
          {text}
        </li>
      ))}
    </ul>
  );
}
