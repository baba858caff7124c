import { plural } from "../plural";

const count = plural("en");

export const settings = {
  appearance: "Appearance",
  language: "Language",
  colours: "Colours",
  light: "Light",
  dark: "Dark",
  auto: "As the system",
  zone: "Time zone",
  zoneText: "For labels only; data stay in UTC.",
  local: (zone: string) => `Local (${zone})`,
  candles: "Candle colours",
  greenUp: "Green up, red down",
  redUp: "Red up, green down",
  blueUp: "Blue up, orange down",
  close: "Close",
  cancel: "Cancel",
  save: "Save",
  name: "Name",
  never: "never",
  forAdmins: (scope: string) =>
    `Only a token with the scope admin can see and change this. Yours has the scope ${scope}.`,
  shownOnce: "Copy it now: it is not shown again.",

  tokens: "Access tokens",
  newToken: "New token",
  tokenName: "Who or what uses it",
  scope: "Scope",
  scopes: {
    read: "read: look at all",
    operate: "operate: start, change",
    admin: "admin: everything",
  },
  created: "Created",
  lastUsed: "Last used",
  expires: "Expires",
  inDays: (days: number) => `in ${days} days`,
  createToken: "Create token",
  firstToken:
    "No token was ever created, so the programs of the service's own user need none. From the first token on, every request needs one; this page goes on with it.",
  tokenMade: (name: string) => `The token ${name} is created`,
  noTokens: "No token works any more.",
  showEnded: (n: number) => `Show ${n} revoked or expired ${count(n, "token", "tokens")}`,
  revoke: "Revoke",
  revokeNamed: (name: string) => `Revoke the token ${name}`,
  revokeText:
    "It stops working at once, everywhere, and its open pages are closed. This cannot be undone.",
  revokeLast:
    "No other token with the scope admin works. After this, a new one can only be created on the service's machine, with penstock token create. This cannot be undone.",
  revoked: "revoked",

  targets: "Alert targets",
  addTarget: "Add a target",
  noTargets: "Alerts are shown on the overview and sent nowhere yet.",
  kinds: { webhook: "Webhook", apprise: "Apprise" },
  off: "off",
  test: "Test",
  testNamed: (name: string) => `Send a test message to ${name}`,
  editNamed: (name: string) => `Edit ${name}`,
  remove: "Remove",
  removeNamed: (name: string) => `Remove ${name}`,
  removeText: "No more alerts are sent there. Messages that wait to be sent are dropped.",
  delivered: "Delivered:",
  notDelivered: "Not delivered:",
  targetName: "Name",
  address: "Address",
  addressText: "A webhook such as https://example.org/path, or an Apprise URL like ntfy://topic.",
  addressKept: "Leave it empty to keep the present one; it holds secrets and is not shown.",
  signingKey: "Signing key",
  signingKeyText: "A webhook's messages are signed with it. Leave it empty for a new one.",
  signingKeyOf: (name: string) => `The signing key of ${name}`,
  enabled: "Send alerts there",

  retention: "Retention",
  keepsLog: (days: number) =>
    `The execution log keeps its rows for ${days} ${count(days, "day", "days")}; older ones are deleted every hour. Setting:`,
  keepsAlerts: (days: number) =>
    `Resolved alerts and sent messages are deleted after ${days} ${count(days, "day", "days")}.`,
  keepsRefused: (rows: string) =>
    `Of each series and account, the newest ${rows} refused rows are kept.`,
  keepsRest:
    "Everything else stays: candles, gaps, restatements, runs, products and their history.",

  sizes: "Size by table",
  noSizes: "The SQLite of this Python cannot tell the size of tables.",
  table: "Table",
  rows: "Rows",
  size: "Size",
  allTables: (n: number) => `Show all ${n} tables`,
  withIndexes: "With indexes; measured",

  about: "About",
  version: "Version",
  database: "Database",
  schema: "Schema version",
  licence: "Licence",
  reference: "API reference",
  licences: "Licences of built-in packages",
};
