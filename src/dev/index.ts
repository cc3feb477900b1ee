export { runDev } from "./dev-cluster.ts";
