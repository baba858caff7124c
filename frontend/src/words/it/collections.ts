import type { Words } from "../en";
import { plural } from "../plural";

const count = plural("it");

const names = (symbols: string[]) =>
  symbols.length > 3 ? `${symbols.length} raccolte` : symbols.join(", ");

const everyMinutes = (n: number) => (n === 1 ? "ogni minuto" : `ogni ${n} minuti`);

export const collections: Words["collections"] = {
  add: "Aggiungi una raccolta",
  none: "Nessuna raccolta. Aggiungi un simbolo o un account, e quando raccoglierlo.",
  configs: "Raccolte",
  filters: "Filtri",
  search: "Cerca",
  state: "Stato",
  all: "tutte",
  enabled: "Attive",
  disabled: "Disattivate",
  what: "Simbolo o account",
  timeframes: "Intervalli delle candele",
  when: "Quando",
  next: "Prossima esecuzione",
  latest: "Ultime esecuzioni",
  every: everyMinutes,
  defaultOn: (seconds) =>
    `Oltre a queste, la pianificazione predefinita raccoglie i simboli più scambiati ${everyMinutes(
      Math.round((seconds ?? 0) / 60),
    )}. Prossima:`,
  defaultOff: "La pianificazione predefinita ora non raccoglie nulla.",
  chosen: (n) => `${n} ${count(n, "selezionata", "selezionate")}`,
  actions: { enable: "Attiva", disable: "Disattiva", trigger: "Esegui ora", delete: "Elimina" },
  done: {
    enable: (symbols) => `Attivazione: ${names(symbols)}.`,
    disable: (symbols) => `Disattivazione: ${names(symbols)}.`,
    trigger: (symbols) => `Esecuzione avviata: ${names(symbols)}.`,
    delete: (symbols) => `Eliminazione: ${names(symbols)}. I dati raccolti restano.`,
  },
  failedFor: (n, first) =>
    n === 1 ? `Non riuscito per ${first}` : `Non riuscito per ${first} e altre ${n - 1}`,
  undo: "Annulla",
  showRun: "Mostra l'esecuzione",
  switch: (symbol) => `Esecuzioni di ${symbol} attive`,
  edit: "Modifica",
  editing: (symbol) => `Modifica ${symbol}`,
  close: "Chiudi",
  cancel: "Annulla",
  save: "Salva",
  addNow: "Aggiungi",
  saved: (symbol) => `${symbol} salvato`,
  kind: "Che cosa raccogliere",
  candles: "Candele",
  inventory: "Inventario",
  symbol: "Simbolo",
  account: "Account",
  choose: "Scegli un account",
  noAccount: "Non c'è ancora un account; aggiungine uno nella pagina Inventario.",
  interval: "A intervalli",
  cron: "A orari (cron)",
  minutes: "Ogni … minuti",
  expression: "Espressione cron",
  expressionText: "minuto ora giorno mese giorno-settimana, per esempio 30 2 * * 1-5",
  timezone: "Fuso orario",
  timezoneText: "dell'espressione",
  description: "Descrizione (facoltativa)",
  runNow: "Esegui anche subito",
  nextRuns: (zone) => `Prossime esecuzioni (${zone})`,
  warnings: "Permesso, ma forse non voluto",
};
