import { SegmentedControl, Text } from "@mantine/core";
import { useId } from "react";

type Props<T extends string> = {
  label: string;
  text?: string;
  value: T;
  onChoose: (value: T) => void;
  /** The values with their names, in order. */
  options: readonly (readonly [T, string])[];
  orientation?: "horizontal" | "vertical";
};

/** A choice of a few, all of them seen. */
export function Choice<T extends string>(props: Props<T>) {
  const { label, text, value, onChoose, options, orientation = "horizontal" } = props;
  const id = useId();
  return (
    <div>
      <Text size="sm" fw={500} id={id}>
        {label}
      </Text>
      {text !== undefined && (
        <Text size="xs" c="dimmed">
          {text}
        </Text>
      )}
      <SegmentedControl<T>
        aria-labelledby={id}
        value={value}
        onChange={onChoose}
        orientation={orientation}
        data={options.map(([option, name]) => ({ value: option, label: name }))}
      />
    </div>
  );
}
