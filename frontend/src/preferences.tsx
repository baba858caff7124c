import {
  createContext,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useState,
  useSyncExternalStore,
} from "react";
import { Format } from "./format";
import { en, type Words } from "./words/en";

export type Language = "en" | "it";
export type Zone = "local" | "utc";
export type CandleColours = "green-up" | "red-up" | "blue-up";

export type Preferences = { language: Language; zone: Zone; candles: CandleColours };

const KEY = "penstock";
const LANGUAGES: Record<Language, () => Promise<Words>> = {
  en: async () => en,
  it: async () => (await import("./words/it")).it,
};

const isLanguage = (text: string): text is Language => text in LANGUAGES;

function stored(): Preferences {
  const wanted = navigator.languages.map((tag) => tag.slice(0, 2)).find(isLanguage);
  const first: Preferences = { language: wanted ?? "en", zone: "local", candles: "green-up" };
  try {
    return { ...first, ...JSON.parse(window.localStorage.getItem(KEY) ?? "{}") };
  } catch {
    return first;
  }
}

/** The preferences of this browser, the same in all of its tabs. */
class PreferenceStore {
  private current = stored();
  private readonly listeners = new Set<() => void>();

  constructor() {
    window.addEventListener("storage", ({ key }) => {
      if (key === KEY) this.set(stored());
    });
  }

  get = (): Preferences => this.current;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  change(changes: Partial<Preferences>): void {
    const next = { ...this.current, ...changes };
    // A browser that keeps nothing shows them until the page is left.
    try {
      window.localStorage.setItem(KEY, JSON.stringify(next));
    } finally {
      this.set(next);
    }
  }

  private set(next: Preferences): void {
    this.current = next;
    for (const listener of this.listeners) listener();
  }
}

const store = new PreferenceStore();
export const changePreferences = (changes: Partial<Preferences>) => store.change(changes);
export const usePreferences = () => useSyncExternalStore(store.subscribe, store.get);

type Spoken = { words: Words; format: Format };
const SpokenContext = createContext<Spoken | null>(null);

/** Show the page in the chosen language; nothing before its words are there. */
export function LanguageProvider({ children }: { children: ReactNode }) {
  const { language, zone } = usePreferences();
  const [words, setWords] = useState<Words | null>(language === "en" ? en : null);
  useEffect(() => {
    let wanted = true;
    void LANGUAGES[language]().then((found) => {
      if (wanted) setWords(found);
    });
    document.documentElement.lang = language;
    return () => {
      wanted = false;
    };
  }, [language]);
  const format = useMemo(() => new Format(language, zone), [language, zone]);
  const spoken = useMemo(() => words && { words, format }, [words, format]);
  return spoken && <SpokenContext.Provider value={spoken}>{children}</SpokenContext.Provider>;
}

function useSpoken(): Spoken {
  const spoken = useContext(SpokenContext);
  if (spoken === null) throw new Error("outside of LanguageProvider");
  return spoken;
}

export const useWords = () => useSpoken().words;
export const useFormat = () => useSpoken().format;
