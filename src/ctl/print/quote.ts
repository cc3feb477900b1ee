export { quote, runeLength } from "../../base/index.ts";
