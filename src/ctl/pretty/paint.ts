/** Colours, where there is a terminal to show them. */

export type Role = "key" | "name" | "text" | "number" | "note";
export type Paint = (role: Role, text: string) => string;

const CODES: Readonly<Record<Role, string>> = {
  key: "1",
  name: "36",
  text: "32",
  number: "33",
  note: "2",
};

export const plain: Paint = (_, text) => text;
export const colours: Paint = (role, text) => `\u001b[${CODES[role]}m${text}\u001b[0m`;
