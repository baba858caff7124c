import type { paths } from "../../../api/schema";
import type { Where } from "../where";

type Asked = NonNullable<paths["/api/v1/inventory/products"]["get"]["parameters"]["query"]>;
export type ProductQuery = Omit<Asked, "cursor" | "limit" | "sort"> & {
  sort: NonNullable<Asked["sort"]>;
};

const SORTS: readonly ProductQuery["sort"][] = [
  "name_en",
  "-name_en",
  "price_cents",
  "-price_cents",
  "quantity",
  "-quantity",
];
const YES_OR_NO: Record<string, boolean> = { true: true, false: false };

/** What the service is asked for; what it would not understand in an address is left out. */
export function queryOf(where: Where, account: number | undefined): ProductQuery {
  const { q, condition, language } = where;
  const asked = {
    account,
    q,
    condition,
    language,
    game: idOf(where.game),
    expansion: idOf(where.expansion),
    foil: YES_OR_NO[where.foil ?? ""],
    mapped: YES_OR_NO[where.mapped ?? ""],
    gone: where.gone === "any" ? ("any" as const) : YES_OR_NO[where.gone ?? ""],
    sort: SORTS.find((one) => one === where.sort) ?? "name_en",
  };
  const given = Object.entries(asked).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as ProductQuery;
}

const idOf = (text: string | undefined) =>
  /^[1-9]\d{0,14}$/.test(text ?? "") ? Number(text) : undefined;
