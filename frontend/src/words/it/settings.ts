import type { Words } from "../en";
import { plural } from "../plural";

const count = plural("it");

export const settings: Words["settings"] = {
  appearance: "Aspetto",
  language: "Lingua",
  colours: "Colori",
  light: "Chiari",
  dark: "Scuri",
  auto: "Come il sistema",
  zone: "Fuso orario",
  zoneText: "Solo per le etichette; i dati restano in UTC.",
  local: (zone) => `Locale (${zone})`,
  candles: "Colori delle candele",
  greenUp: "Verde su, rosso giù",
  redUp: "Rosso su, verde giù",
  blueUp: "Blu su, arancione giù",
  close: "Chiudi",
  cancel: "Annulla",
  save: "Salva",
  name: "Nome",
  never: "mai",
  forAdmins: (scope) =>
    `Solo un token con ambito admin può vedere e modificare questa parte. Il tuo ha l'ambito ${scope}.`,
  shownOnce: "Copialo ora: non verrà più mostrato.",

  tokens: "Token di accesso",
  newToken: "Nuovo token",
  tokenName: "Chi o che cosa lo usa",
  scope: "Ambito",
  scopes: {
    read: "read: vedere tutto",
    operate: "operate: avviare, modificare",
    admin: "admin: tutto",
  },
  created: "Creato",
  lastUsed: "Ultimo uso",
  expires: "Scadenza",
  inDays: (days) => `tra ${days} giorni`,
  createToken: "Crea il token",
  firstToken:
    "Finora non è stato creato alcun token, quindi i programmi dell'utente del servizio non ne hanno bisogno. Dal primo token in poi ogni richiesta ne richiede uno; questa pagina continua con quello.",
  tokenMade: (name) => `Il token ${name} è stato creato`,
  noTokens: "Nessun token è più valido.",
  showEnded: (n) => `Mostra ${n} token ${count(n, "revocato o scaduto", "revocati o scaduti")}`,
  revoke: "Revoca",
  revokeNamed: (name) => `Revoca il token ${name}`,
  revokeText:
    "Smette subito di funzionare, ovunque, e le sue pagine aperte vengono chiuse. L'operazione non si può annullare.",
  revokeLast:
    "Nessun altro token con ambito admin è valido. Dopo, se ne potrà creare uno nuovo solo sulla macchina del servizio, con penstock token create. L'operazione non si può annullare.",
  revoked: "revocato",

  targets: "Destinazioni degli avvisi",
  addTarget: "Aggiungi una destinazione",
  noTargets: "Gli avvisi compaiono nel riepilogo e per ora non vengono inviati altrove.",
  kinds: { webhook: "Webhook", apprise: "Apprise" },
  off: "disattivata",
  test: "Prova",
  testNamed: (name) => `Invia un messaggio di prova a ${name}`,
  editNamed: (name) => `Modifica ${name}`,
  remove: "Rimuovi",
  removeNamed: (name) => `Rimuovi ${name}`,
  removeText:
    "Non vi verranno più inviati avvisi. I messaggi in attesa di essere inviati vengono scartati.",
  delivered: "Consegnato:",
  notDelivered: "Non consegnato:",
  targetName: "Nome",
  address: "Indirizzo",
  addressText: "Un webhook come https://example.org/path o un URL di Apprise come ntfy://topic.",
  addressKept: "Lascialo vuoto per tenere quello attuale; contiene segreti e non viene mostrato.",
  signingKey: "Chiave di firma",
  signingKeyText: "Firma i messaggi di un webhook. Lasciala vuota per averne una nuova.",
  signingKeyOf: (name) => `La chiave di firma di ${name}`,
  enabled: "Invia qui gli avvisi",

  retention: "Conservazione",
  keepsLog: (days) =>
    `Il registro delle esecuzioni conserva le righe per ${days} ${count(days, "giorno", "giorni")}; quelle più vecchie vengono eliminate ogni ora. Impostazione:`,
  keepsAlerts: (days) =>
    `Gli avvisi risolti e i messaggi inviati vengono eliminati dopo ${days} ${count(days, "giorno", "giorni")}.`,
  keepsRefused: (rows) =>
    `Di ogni serie e account si conservano le ${rows} righe rifiutate più recenti.`,
  keepsRest:
    "Tutto il resto rimane: candele, lacune, rettifiche, esecuzioni, prodotti e la loro storia.",

  sizes: "Dimensione per tabella",
  noSizes: "L'SQLite di questo Python non può indicare la dimensione delle tabelle.",
  table: "Tabella",
  rows: "Righe",
  size: "Dimensione",
  allTables: (n) => `Mostra tutte le ${n} tabelle`,
  withIndexes: "Indici compresi; misurata",

  about: "Informazioni",
  version: "Versione",
  database: "Database",
  schema: "Versione dello schema",
  licence: "Licenza",
  reference: "Riferimento dell'API",
  licences: "Licenze dei pacchetti inclusi",
};
