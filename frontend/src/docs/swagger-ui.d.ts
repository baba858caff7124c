/** The part of swagger-ui-dist that is used; the package has no types. */
declare module "swagger-ui-dist/swagger-ui-es-bundle.js" {
  type Options = {
    domNode: HTMLElement | null;
    spec: Record<string, unknown>;
    validatorUrl: string | null;
    docExpansion: "none";
    defaultModelsExpandDepth: number;
    displayRequestDuration: boolean;
    filter: boolean;
    syntaxHighlight: { theme: string };
  };
  export default function SwaggerUI(options: Options): unknown;
}
