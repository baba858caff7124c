import { Problem, problemOf } from "./problem";
import { session } from "./session";

type Upload = {
  path: string;
  file: File;
  contentType: string;
  /** Hears which share of the file is sent, from 0 to 1. */
  onSent: (share: number) => void;
};

/** Send a file and give the JSON of the answer. `fetch` does not tell how much is sent. */
export function upload<T>({ path, file, contentType, onSent }: Upload): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.setRequestHeader("Content-Type", contentType);
    request.upload.onprogress = ({ loaded, total }) => onSent(total === 0 ? 1 : loaded / total);
    request.onerror = () => reject(Problem.unreachable());
    request.onload = () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText));
      else void refused(request).then(reject);
    };
    request.send(file);
  });
}

async function refused({ status, statusText, responseText }: XMLHttpRequest): Promise<Problem> {
  if (status === 401) session.lost();
  return problemOf(new Response(responseText, { status, statusText }));
}
