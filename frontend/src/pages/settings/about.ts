import { useQuery } from "@tanstack/react-query";
import { body, client } from "../../api/client";

/** What the service is. */
export const useAbout = () =>
  useQuery({
    queryKey: ["about"],
    queryFn: async () => body(await client.GET("/api/v1/admin/about")),
  });

/** How large the tables are; on SQLite that takes a second for a gigabyte. */
export const useSizes = () =>
  useQuery({
    queryKey: ["sizes"],
    queryFn: async () => body(await client.GET("/api/v1/admin/about/tables")),
  });
