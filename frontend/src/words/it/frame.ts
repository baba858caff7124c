import type { frame as english } from "../en/frame";
import { plural } from "../plural";

const count = plural("it");

/** What an error is about; its detail comes from the service, in English. */
const CODES: Record<string, string> = {
  invalid_input: "Valore non valido",
  conflict: "Non possibile ora",
  not_found: "Non trovato",
  too_large: "Troppo grande",
  too_many_requests: "Troppe richieste, riprova tra poco",
  database_unavailable: "Il database non risponde",
  unavailable: "Non disponibile ora",
  source_unavailable: "Il fornitore non risponde",
  source_rate_limited: "Il fornitore chiede di aspettare",
  source_refused: "Il fornitore rifiuta la richiesta",
  source_misfit: "Risposta inattesa del fornitore",
  alert_undelivered: "Avviso non consegnato",
  secret_key: "Chiave segreta",
  internal_error: "Errore del servizio",
};

export const frame: typeof english = {
  language: "Italiano",
  pages: {
    overview: "Panoramica",
    market: "Mercato",
    coverage: "Copertura",
    collections: "Raccolte",
    runs: "Esecuzioni",
    inventory: "Inventario",
    settings: "Impostazioni",
    missing: "Pagina non trovata",
    missingText: "Questo indirizzo non porta da nessuna parte.",
    toOverview: "Vai alla panoramica",
  },
  shell: {
    menu: "Menu",
    navigation: "Pagine",
    skip: "Vai al contenuto",
    live: "In diretta",
    connecting: "Connessione …",
    lost: "Connessione persa, nuovo tentativo …",
    lostText: "I dati mostrati potrebbero non essere aggiornati.",
    signOut: "Esci",
    light: "Usa i colori chiari",
    dark: "Usa i colori scuri",
    firing: (n) => `${n} ${count(n, "avviso", "avvisi")}`,
  },
  signIn: {
    title: "Accedi a Penstock",
    text: "Incolla un token di accesso. Viene conservato in un cookie che gli script non leggono.",
    how: "Per crearne uno, esegui sulla macchina del servizio:",
    token: "Token di accesso",
    submit: "Accedi",
    ended: "La sessione è terminata. Accedi di nuovo; ciò che hai scritto non va perso.",
  },
  problem: {
    title: "Operazione non riuscita",
    unreachable: "Il servizio non risponde. Riprova per fare un altro tentativo.",
    unexpected: (status) => `Il servizio ha risposto con lo stato ${status}.`,
    slow: "Ci vuole più del solito; la risposta appare appena arriva.",
    retry: "Riprova",
    reload: "Ricarica la pagina",
    broken: "Una parte di questa pagina si è interrotta. Il resto continua.",
    saying: (code, detail) => (code in CODES ? `${CODES[code]}: ${detail}` : detail),
    forbidden: "Il tuo token non lo permette.",
  },
  table: {
    nothing: "Nessun risultato.",
    previous: "Pagina precedente",
    next: "Pagina successiva",
    page: (n: number) => `Pagina ${n}`,
    choose: (what: string) => `Seleziona ${what}`,
    chooseAll: "Seleziona tutta la pagina",
  },
  copy: { copy: "Copia", copied: "Copiato" },
  state: {
    pending: "in attesa",
    running: "in corso",
    completed: "completata",
    failed: "fallita",
    cancelled: "annullata",
    success: "riuscita",
    partial: "fallita in parte",
  },
  jobs: {
    collect_data_all: "Tutto ciò che non ha una configurazione",
    refresh_symbols: "Aggiornamento dei simboli",
    audit: "Controllo automatico",
    log_retention: "Eliminazione dei log vecchi",
  },
  waits: {
    limit: "limite di richieste del provider",
    paused: "il provider ha chiesto una pausa",
    no_answer: "il provider non risponde",
  },
};
