import { TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useEffect, useState } from "react";

const PAUSE_MS = 400;

type Props = {
  label: string;
  placeholder?: string;
  value: string;
  /** Called with the text when the reader pauses. */
  onChange: (text: string) => void;
};

/** A text that a list follows. */
export function Search({ label, placeholder, value, onChange }: Props) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const changeSoon = useDebouncedCallback((typed: string) => onChange(typed.trim()), PAUSE_MS);
  return (
    <TextInput
      label={label}
      {...(placeholder === undefined ? {} : { placeholder })}
      value={text}
      maxLength={50}
      onChange={({ currentTarget }) => {
        setText(currentTarget.value);
        changeSoon(currentTarget.value);
      }}
    />
  );
}
