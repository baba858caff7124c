import type { Words } from "../en";
import { plural } from "../plural";

const count = plural("it");

export const market: Words["market"] = {
  search: "Cerca serie",
  series: "Serie",
  none: "Nessuna serie raccolta finora.",
  complete: (percent) => `completa al ${percent}`,
  timeframe: "Intervallo",
  empty: "Questa serie non ha ancora candele.",
  chart: (name, n, from, to) =>
    `Candele di ${name}: ${n} dal ${from} al ${to}. La tabella sotto ha le stesse.`,
  gaps: (n) =>
    `${n} ${count(n, "lacuna", "lacune")} in questo periodo, ${count(n, "evidenziata", "evidenziate")}.`,
  moving: "Sposta il grafico",
  older: "Candele precedenti",
  newer: "Candele successive",
  newest: "Candele più recenti",
  zoomIn: "Ingrandisci",
  zoomOut: "Riduci",
  time: "Apertura",
  open: "Aper.",
  high: "Max",
  low: "Min",
  close: "Chius.",
  volume: "Volumi",
  stillOpen: "ancora aperta",
  gap: (n, start) => `${n} ${count(n, "candela mancante", "candele mancanti")} dal ${start}:`,
  toCoverage: "Prove e riparazione",
  restated: (at, close) => `Rettificata il ${at}; prima chiudeva a ${close}.`,
  restatedMark: "(rettificata)",
  table: "Tabella",
  viewAs: "Vedi come …",
  download: "Scarica come CSV",
  sqlText: "Da eseguire nel database di Penstock; vale per SQLite e PostgreSQL.",
};
