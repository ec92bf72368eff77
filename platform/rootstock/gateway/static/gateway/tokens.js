// What the engine tells of tokens, as text: an event's piece of text cut where its tokens end.

// Tokens are bytes, and a character may take several of them: its text goes to the token that completes it.
export class Cutter {
  constructor() {
    this.decoder = new TextDecoder();
  }

  // [{text, probability, top: [{text, probability}]}]; the pieces' texts are together exactly the event's.
  cut({ text = "", logprobs = [] }) {
    if (!logprobs.length) return text ? [{ text, probability: null, top: [] }] : [];
    let rest = text;
    const pieces = logprobs.map((one) => {
      const wanted = this.decoder.decode(new Uint8Array(one.bytes), { stream: true });
      const taken = rest.startsWith(wanted) ? wanted : "";
      rest = rest.slice(taken.length);
      return { text: taken, probability: Math.exp(one.logprob), top: (one.top_logprobs ?? []).map(alternative) };
    });
    if (rest) pieces[pieces.length - 1].text += rest;
    return pieces.filter((piece) => piece.text);
  }
}

function alternative({ token, logprob }) {
  return { text: token, probability: Math.exp(logprob) };
}

const FLOORS = [0.1, 0.3, 0.6, 0.9];

// How likely, in five steps: 0 to 4; empty where it is not known.
export function step(probability) {
  return probability == null ? "" : String(FLOORS.filter((floor) => probability >= floor).length);
}

export function percent(probability) {
  if (probability == null) return "–";
  if (probability > 0 && probability < 0.001) return "<\u202f0.1\u202f%";
  return `${(probability * 100).toFixed(1)}\u202f%`;
}

const SPACES = { " ": "·", "\n": "⏎", "\t": "→" };

// White space made visible, for places where it stands alone.
export function visible(text) {
  return text.replaceAll(/[ \n\t]/g, (one) => SPACES[one]) || "end of text";
}
