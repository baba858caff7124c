import type { Language, Zone } from "./preferences";

const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
] as const;

const SIZES = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** Numbers and times as the reader's language writes them. Times come in ISO 8601. */
export class Format {
  readonly locale: string;
  readonly timeZone: string;
  /** The zone of the reader, whatever zone is shown. */
  readonly hereZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  private readonly numbers: Intl.NumberFormat;
  private readonly relative: Intl.RelativeTimeFormat;
  private readonly moments: Intl.DateTimeFormat;
  private readonly days: Intl.DateTimeFormat;
  private readonly dates: Intl.DateTimeFormat;
  private readonly years: Intl.DateTimeFormat;
  private readonly hours: Intl.DateTimeFormat;
  private readonly seconds: Intl.DateTimeFormat;

  constructor(language: Language, zone: Zone) {
    // English dates are written in as many ways as there are countries; this one is read by all.
    this.locale = language === "en" ? "en-GB" : "it-IT";
    this.timeZone = zone === "utc" ? "UTC" : this.hereZone;
    const hourCycle = "h23";
    const { locale, timeZone } = this;
    this.numbers = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
    this.relative = new Intl.RelativeTimeFormat(locale, { style: "short", numeric: "always" });
    this.moments = new Intl.DateTimeFormat(locale, {
      dateStyle: "medium",
      timeStyle: "medium",
      timeZone,
      hourCycle,
    });
    this.days = new Intl.DateTimeFormat(locale, {
      weekday: "short",
      day: "numeric",
      month: "short",
      hour: "2-digit",
      minute: "2-digit",
      timeZone,
      hourCycle,
    });
    this.dates = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone });
    this.years = new Intl.DateTimeFormat(locale, { year: "numeric", timeZone });
    this.seconds = new Intl.DateTimeFormat(locale, { timeStyle: "medium", timeZone, hourCycle });
    this.hours = new Intl.DateTimeFormat(locale, { timeStyle: "short", timeZone, hourCycle });
  }

  number(value: number): string {
    return this.numbers.format(value);
  }

  /** A price in minor units, such as cents. */
  money(minor: number, currency: string): string {
    try {
      const money = new Intl.NumberFormat(this.locale, { style: "currency", currency });
      const digits = money.resolvedOptions().maximumFractionDigits ?? 2;
      return money.format(minor / 10 ** digits);
    } catch {
      // What is sent as a currency may be none.
      const amount = (minor / 100).toLocaleString(this.locale, { minimumFractionDigits: 2 });
      return `${amount} ${currency}`.trim();
    }
  }

  percent(value: number): string {
    return `${this.numbers.format(value)} %`;
  }

  /** A size such as `1.5 MB`, in thousands. */
  bytes(value: number): string {
    const step = Math.min(SIZES.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3));
    const options = { style: "unit", unit: SIZES[step], maximumSignificantDigits: 3 } as const;
    return new Intl.NumberFormat(this.locale, options).format(value / 1000 ** step);
  }

  /** Date and time of day. */
  moment(iso: string): string {
    return this.moments.format(new Date(iso));
  }

  /** Weekday, date and time of day, without the year. */
  dayAndTime(iso: string): string {
    return this.days.format(new Date(iso));
  }

  /** The day and the month, or the year. */
  date(iso: string, yearOnly = false): string {
    return (yearOnly ? this.years : this.dates).format(new Date(iso));
  }

  /** The time of day with seconds. */
  second(iso: string): string {
    return this.seconds.format(new Date(iso));
  }

  /** The time of day. */
  time(iso: string): string {
    return this.hours.format(new Date(iso));
  }

  /** A length such as `42s` or `3m`, in one unit, rounded down. */
  duration(seconds: number): string {
    if (seconds < 10) return this.unit("second", Math.round(seconds * 10) / 10);
    const [unit, length] = unitOf(seconds);
    return this.unit(unit, Math.floor(seconds / length));
  }

  /** `in 42 s` or `3 min ago`, from now. */
  from(iso: string, now: number): string {
    const seconds = Math.round((Date.parse(iso) - now) / 1000);
    const [unit, length] = unitOf(Math.abs(seconds));
    return this.relative.format(Math.trunc(seconds / length), unit);
  }

  private unit(unit: string, value: number, unitDisplay: "narrow" | "short" = "narrow"): string {
    const options = { style: "unit", unit, unitDisplay } as const;
    return new Intl.NumberFormat(this.locale, options).format(value);
  }
}

function unitOf(seconds: number): (typeof UNITS)[number] {
  return UNITS.find(([, length]) => seconds >= length) ?? UNITS[3];
}
