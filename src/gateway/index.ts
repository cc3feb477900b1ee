export { counter, gauge, type Metric, type MetricSource, type Sample } from "./exposition.ts";
export { peerMetrics } from "./peer-metrics.ts";
export { type Gateway, type GatewayOptions, openGateway } from "./gateway.ts";
