import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useRef, useState } from "react";
import { body, client } from "../api/client";
import { type Session, session, takeKey } from "../api/session";
import { Failure } from "../parts/Failure";
import { Loading } from "../parts/Loading";
import { SignIn } from "./SignIn";

const KEY = ["session"];
type Entered = Session & {
  /** The page waits for another sign-in. */
  ended: boolean;
  /** Go on with another token, such as one that this page has created. */
  enter: (token: string) => Promise<void>;
};

const SessionContext = createContext<Entered>({
  scope: null,
  signed_in: false,
  ended: false,
  enter: async () => undefined,
});

/** What this reader may do. */
export const useSession = () => useContext(SessionContext);

/** Exchange a token, or the key in the page's address, for a cookie. */
export async function signIn(token: string): Promise<Session> {
  const headers = { Authorization: `Bearer ${token}` };
  return body(await client.POST("/api/v1/session", { headers }));
}

async function fetchSession(): Promise<Session> {
  const key = takeKey();
  // A key that was used before lets nobody in; a cookie of then still may.
  if (key !== null) await signIn(key).catch(() => undefined);
  return body(await client.GET("/api/v1/session"));
}

/**
 * Show the page to those who may read it.
 *
 * When a session ends, the page stays as it is below the form, so that nothing typed is lost.
 */
export function SessionGate({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [ended, setEnded] = useState(false);
  const entries = useRef(0);
  const found = useQuery({
    queryKey: KEY,
    queryFn: fetchSession,
    staleTime: Number.POSITIVE_INFINITY,
  });
  useEffect(
    () =>
      session.onLost(async () => {
        const asked = entries.current;
        const { data } = await client.GET("/api/v1/session").catch(() => ({ data: undefined }));
        // An answer to a request of before the last sign-in says nothing of this session.
        if (data?.scope === null && asked === entries.current) setEnded(true);
      }),
    [],
  );
  const entered = (now: Session) => {
    entries.current += 1;
    queries.setQueryData(KEY, now);
    setEnded(false);
    void queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== KEY[0] });
  };
  const enter = async (token: string) => entered(await signIn(token));
  if (found.isPending) return <Loading />;
  if (found.isError) return <Failure error={found.error} retry={() => void found.refetch()} />;
  if (found.data.scope === null) return <SignIn onEntered={entered} />;
  return (
    <SessionContext.Provider value={{ ...found.data, ended, enter }}>
      {children}
      {ended && <SignIn onEntered={entered} ended />}
    </SessionContext.Provider>
  );
}
