import type { Words } from "../en";
import { plural } from "../plural";

const count = plural("it");
const { format: num } = new Intl.NumberFormat("it-IT");

export const overview: Words["overview"] = {
  healthy: (n) =>
    n === 1 ? "L'unica serie è aggiornata." : `Tutte le ${num(n)} serie sono aggiornate.`,
  onlyInventory: "Tutto è aggiornato.",
  incomplete: (bad, n) =>
    bad === 1
      ? `A 1 serie su ${num(n)} mancano candele.`
      : `A ${num(bad)} serie su ${num(n)} mancano candele.`,
  alerts: (n) => `${n} ${count(n, "avviso attivo", "avvisi attivi")}.`,
  syncHeld: (name) => `Una sincronizzazione di ${name} è trattenuta: decidi tu se pubblicarla.`,
  noWorker: "Nessun worker è attivo: nulla viene raccolto finché non ne parte uno.",
  noWorkerText: "Esegui questo sulla macchina del servizio:",
  paused: (provider, until) =>
    `${provider} non accetta richieste fino alle ${until}; poi le raccolte riprendono da sole.`,
  empty: "Non viene ancora raccolto nulla.",
  collectFirst: "Raccogli BTC/USDT",
  addAccount: "Aggiungi un account CardTrader",
  collectNow: "Raccogli ora",
  show: {
    run: "Mostra l'esecuzione",
    failed: "Mostra le esecuzioni fallite",
    gaps: "Mostra le lacune",
    held: "Decidi",
    inventory: "Mostra l'account",
  },
  successRate: "Riuscite, 24 ore",
  successText: (ok, failed) => `${num(ok)} riuscite, ${num(failed)} fallite`,
  duration: "Durata media",
  durationText: (n) => `${num(n)} ${count(n, "esecuzione", "esecuzioni")} in 24 ore`,
  records: "Record di oggi",
  recordsText: "ultimi 14 giorni, UTC",
  next: "Prossima esecuzione",
  nothingScheduled: "nulla in programma",
  now: "adesso",
  active: "Esecuzioni in corso",
  noneActive: "Nessuna esecuzione in corso.",
  timeLeft: (left) => `ancora ${left}`,
  waiting: (left, why) => `in attesa ${left}: ${why}`,
  jobs: "Ultime esecuzioni per attività",
  firstJobs: (shown, n) => `${shown} di ${n}, prima quelle fallite`,
  beats: (job) => `Ultime esecuzioni di ${job}, la più recente alla fine`,
  noBeats: "mai eseguita",
  upcoming: "Prossime esecuzioni",
  budgets: "Limiti dei provider",
  budget: (used, allowed) => `${num(used)} su ${num(allowed)} in questo minuto`,
  budgetUnknown: (used) => `${num(used)} in questo minuto`,
  noBudgets: "Nessun provider è stato ancora interrogato.",
  firing: "Avvisi",
  noAlerts: "Nessun avviso attivo.",
  since: (ago) => `da ${ago}`,
  failedOf: (failed, rows) => `${failed} su ${rows} fallite`,
  recordCount: (n) => `${n} record`,
};
