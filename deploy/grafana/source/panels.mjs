// The kinds of panel that the dashboards are made of. A panel is described by
//
//   title, description   what it shows; the description also says what to do when it looks bad
//   queries              [expression, legend, options]; options: exemplar, instant, table
//   unit                 Grafana's, or one of `unit` below
//   width, height        of a grid of 24 columns
//   interval             the shortest step of curves
//   thresholds           [colour of the base, [value, colour], …]
//   colours, matching    colour by legend, and [pattern of legends, colour]
//   noValue, noColour    what is shown where there is no value
//   mappings             { text, color } by value
//   link                 data link: { title, url }
import { PanelBuilder as BarGauge } from '@grafana/grafana-foundation-sdk/bargauge';
import {
  BigValueColorMode, BigValueGraphMode, BigValueTextMode, GraphDrawStyle, GraphThresholdsStyleMode, LegendDisplayMode,
  LegendPlacement, SortOrder, StackingMode, TooltipDisplayMode, VizLegendOptionsBuilder, VizTooltipOptionsBuilder,
  GraphThresholdsStyleConfigBuilder, ReduceDataOptionsBuilder, ScaleDistribution, ScaleDistributionConfigBuilder, StackingConfigBuilder,
  VizOrientation,
} from '@grafana/grafana-foundation-sdk/common';
import { FieldColorBuilder, FieldColorModeId, ThresholdsConfigBuilder, ThresholdsMode } from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as Stat } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as StateTimeline } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as Table } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeSeries } from '@grafana/grafana-foundation-sdk/timeseries';

/** The data source that the variable of that name picks. */
export const datasource = { type: 'prometheus', uid: '${datasource}' };

export const unit = {
  neurons: 'suffix:neurons',
  neuronsPerHour: 'suffix:neurons/h',
  tokens: 'suffix:tokens/s',
  calls: 'reqps',
  attempts: 'suffix:attempts/s',
  perMinute: 'suffix:calls/min',
  count: 'none',
  share: 'percentunit',
  seconds: 's',
  duration: 'dtdurations',
  bytes: 'bytes',
  dollars: 'currencyUSD',
};

export const green = 'green';
export const yellow = '#EAB839';
export const red = 'red';
export const grey = '#8E8E8E';

/** Who failed a call: the same colours everywhere. */
export const origins = { guard: '#3274D9', upstream: '#FF780A', proxy: '#A352CC' };

function targets(queries) {
  return queries.map(([expression, legend, options = {}], i) => {
    const query = new DataqueryBuilder().refId(String.fromCharCode(65 + i)).expr(expression).datasource(datasource);
    if (legend !== undefined) {
      query.legendFormat(legend);
    }
    if (options.table) {
      query.format(PromQueryFormat.Table);
    }
    if (options.exemplar) {
      query.exemplar(true);
    }
    return options.instant || options.table ? query.instant() : query.range();
  });
}

function thresholds([base, ...steps]) {
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute)
    .steps([{ value: null, color: base }, ...steps.map(([value, color]) => ({ value, color }))]);
}

/** What all kinds have. */
function begin(panel, p, width, height) {
  panel.title(p.title).description(p.description).datasource(datasource).unit(p.unit)
    .span(p.width ?? width).height(p.height ?? height)
    .targets(targets(p.queries))
    .thresholds(thresholds(p.thresholds ?? [green]));
  if (p.decimals !== undefined) {
    panel.decimals(p.decimals);
  }
  if (p.min !== undefined) {
    panel.min(p.min);
  }
  if (p.max !== undefined) {
    panel.max(p.max);
  }
  if (p.noValue !== undefined) {
    panel.noValue(p.noValue);
  }
  const mappings = p.mappings ? [{ type: 'value', options: p.mappings }] : [];
  if (p.noValue !== undefined) { // or it has the colour of the lowest threshold, which may be red
    mappings.push({ type: 'special', options: { match: 'null+nan', result: { text: p.noValue, color: p.noColour ?? grey, index: mappings.length } } });
  }
  if (mappings.length > 0) {
    panel.mappings(mappings);
  }
  if (p.link) {
    panel.dataLinks([{ build: () => ({ targetBlank: true, ...p.link }) }]);
  }
  for (const [name, color] of Object.entries(p.colours ?? {})) {
    panel.overrideByName(name, [{ id: 'color', value: { mode: 'fixed', fixedColor: color } }]);
  }
  for (const [pattern, color] of p.matching ?? []) {
    panel.overrideByRegexp(`/${pattern}/`, [{ id: 'color', value: { mode: 'fixed', fixedColor: color } }]);
  }
  return panel;
}

/** One figure, or a few: the first row of a dashboard. */
export function stat(p) {
  return begin(new Stat(), p, 4, 4)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false))
    .colorMode(p.colours ? BigValueColorMode.Value : BigValueColorMode.Background)
    .graphMode(p.queries.some(([, , options]) => options?.instant) ? BigValueGraphMode.None : BigValueGraphMode.Area)
    .textMode(BigValueTextMode.Auto) // with the name where there are several
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds));
}

/** Curves over time, each with its last and its largest value in the legend. `stacked` fills and adds them. */
export function curves(p) {
  const panel = begin(new TimeSeries(), { min: 0, ...p }, 12, 8)
    .legend(new VizLegendOptionsBuilder().showLegend(true).displayMode(LegendDisplayMode.Table)
      .placement(p.legend === 'right' ? LegendPlacement.Right : LegendPlacement.Bottom).calcs(['lastNotNull', 'max'])
      .sortBy('Last *').sortDesc(true))
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .drawStyle(GraphDrawStyle.Line).lineWidth(1).fillOpacity(p.stacked ? 40 : 8).spanNulls(false)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName));
  if (p.stacked) {
    panel.stacking(new StackingConfigBuilder().mode(p.stacked === 'share' ? StackingMode.Percent : StackingMode.Normal).group('A'));
  }
  if (p.thresholds) {
    panel.thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
  }
  if (p.bars) {
    panel.drawStyle(GraphDrawStyle.Bars).fillOpacity(70);
  }
  if (p.interval) { // of the steps, at least
    panel.interval(p.interval);
  }
  if (p.logarithmic) {
    panel.scaleDistribution(new ScaleDistributionConfigBuilder().type(ScaleDistribution.Log).log(10)).min(1);
  }
  if (p.lines) { // above what is stacked, not part of it
    panel.overrideByRegexp(`/${p.lines}/`, [
      { id: 'custom.stacking', value: { mode: 'none', group: 'A' } }, { id: 'custom.fillOpacity', value: 0 },
      { id: 'custom.lineWidth', value: 2 }, { id: 'custom.lineStyle', value: { fill: 'dash', dash: [10, 6] } },
    ]);
  }
  return panel;
}

/** States over time, one line each. */
export function states(p) {
  return begin(new StateTimeline(), p, 12, 6)
    .legend(new VizLegendOptionsBuilder().showLegend(false).displayMode(LegendDisplayMode.List).placement(LegendPlacement.Bottom))
    .mergeValues(true).fillOpacity(70).rowHeight(0.8)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds));
}

/** Bars, the longest first. */
export function bars(p) {
  return begin(new BarGauge(), { min: 0, ...p }, 12, 8)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false))
    .orientation(VizOrientation.Horizontal)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds));
}

/**
 * A table of what queries say at present. `columns` are [field, header, unit] in order; all other fields are left out. Several
 * queries are joined by the field `by`.
 */
export function table(p) {
  const panel = begin(new Table(), p, 24, 8)
    .showHeader(true)
    .transformations([
      ...p.by ? [{ id: 'joinByField', options: { byField: p.by, mode: 'outer' } }] : [],
      { id: 'filterFieldsByName', options: { include: { names: p.columns.map(([field]) => field) } } },
      {
        id: 'organize',
        options: {
          indexByName: Object.fromEntries(p.columns.map(([field], i) => [field, i])),
          renameByName: Object.fromEntries(p.columns.map(([field, header]) => [field, header])),
        },
      },
    ]);
  for (const [, header, columnUnit, more] of p.columns) {
    const properties = [...columnUnit ? [{ id: 'unit', value: columnUnit }] : [], ...more ?? []];
    if (properties.length > 0) {
      panel.overrideByName(header, properties);
    }
  }
  if (p.sort) {
    panel.sortBy([{ build: () => ({ displayName: p.sort, desc: true }) }]);
  }
  return panel;
}
