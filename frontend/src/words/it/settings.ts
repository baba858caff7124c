import type { Words } from "../en";

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
  about: "Informazioni",
  version: "Versione",
  database: "Database",
  schema: "Versione dello schema",
  licence: "Licenza",
};
