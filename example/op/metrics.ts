import { once } from 'node:events'
import { createServer } from 'node:http'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import type { Telemetry } from 'oidc-provider-eventstore'
import { openTelemetry } from 'oidc-provider-eventstore/plugins/telemetry'
import type { Running } from '../running.ts'
import { StartupError } from '../startup-error.ts'

const HOST = '127.0.0.1'

/** What is measured, and where Prometheus reads it. */
export interface Metrics extends Running {
  readonly telemetry: Telemetry
}

/** Serves measurements under `/metrics` of a port of its own: they are for operators, not for whoever logs in. */
export async function serveMetrics(port: number): Promise<Metrics> {
  const exporter = new PrometheusExporter({ preventServerStart: true })
  const meterProvider = new MeterProvider({ readers: [exporter] })
  const server = createServer((request, response) => {
    if (request.url === '/metrics') exporter.getMetricsRequestHandler(request, response)
    else response.writeHead(404).end()
  })
  try {
    server.listen(port, HOST)
    await once(server, 'listening')
  } catch (cause) {
    throw new StartupError(`METRICS_PORT is ${port}, and nothing can listen there: set another one`, { cause })
  }
  return {
    telemetry: openTelemetry({ meterProvider }),
    async stop() {
      server.close()
      server.closeAllConnections()
      await meterProvider.shutdown()
    },
  }
}
