//! Charts as SVG, made here: no script draws them. Widths are parts of the space that there is, and heights
//! and texts have a fixed size: a text is as large on a phone as on a wide screen. Pure.

use super::html::{grouped, text};
use maud::{Markup, html};

/// The height of the plot, and the space above it and below it for the labels of hours.
const HEIGHT: f64 = 128.0;
const ABOVE: f64 = 12.0;
const BELOW: f64 = 24.0;

/// What there is can be seen, however small it is beside the rest.
const LEAST_HEIGHT: f64 = 2.0;

/// The number of steps of the scale, at most.
const STEPS: f64 = 4.0;

/// The hours from one label to the next.
const LABELLED: usize = 6;

/// The size of a bar of a sparkline with the gap after it, and the height of the sparkline.
const SPARK_WIDTH: usize = 4;
const SPARK_HEIGHT: f64 = 20.0;

/// Values by the hour. An hour without a value is a gap.
pub(super) struct Series {
    pub(super) name: &'static str,
    /// The class in the style sheet.
    pub(super) class: &'static str,
    pub(super) values: Vec<Option<u64>>,
}

/// What the values count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Things,
    Milliseconds,
}

/// Series of the same hours, the present hour last.
pub(super) struct Chart {
    /// A word that no other chart of the page has.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) unit: Unit,
    /// The begin of each hour.
    pub(super) hours: Vec<String>,
    pub(super) series: Vec<Series>,
}

/// The scale of the values.
#[derive(Debug)]
struct Scale {
    /// The places of the grid lines with their labels, from 0 to the top.
    ticks: Vec<(f64, String)>,
    top: f64,
}

impl Chart {
    /// A bar for each hour, with the series on top of each other.
    pub(super) fn bars(&self) -> Markup {
        let sums = (0..self.hours.len()).map(|hour| self.sum(hour));
        let scale = Scale::of(sums.fold(0.0, f64::max), self.unit);
        let width = 100.0 / self.hours.len().max(1) as f64;
        let plot = html! {
            @for hour in 0..self.hours.len() {
                @for (class, from, height) in self.stack(hour, &scale) {
                    rect class=(class) x=(percent((hour as f64 + 0.1) * width)) width=(percent(0.8 * width))
                        y=(pixel(from)) height=(pixel(height)) {}
                }
            }
        };
        self.figure(&scale, &plot, true)
    }

    /// A line for each series. It breaks where an hour has no value.
    pub(super) fn lines(&self) -> Markup {
        let values = self.series.iter().flat_map(|series| &series.values);
        let most = values.flatten().max().copied().unwrap_or(0);
        let scale = Scale::of(most as f64, self.unit);
        let plot = html! { @for series in &self.series { (self.line(series, &scale)) } };
        self.figure(&scale, &plot, false)
    }

    fn line(&self, series: &Series, scale: &Scale) -> Markup {
        let value = |hour: usize| series.value(hour);
        let y = |value: u64| pixel(scale.y(value as f64));
        html! {
            @for hour in 0..self.hours.len() {
                @if let Some(here) = value(hour) {
                    @let before = hour.checked_sub(1).and_then(value);
                    @match before {
                        Some(before) => {
                            line class=(series.class) x1=(self.middle(hour - 1)) y1=(y(before))
                                x2=(self.middle(hour)) y2=(y(here)) {}
                        }
                        None if value(hour + 1).is_none() => {
                            circle class=(series.class) cx=(self.middle(hour)) cy=(y(here)) r="3" {}
                        }
                        None => {}
                    }
                }
            }
        }
    }

    fn figure(&self, scale: &Scale, plot: &Markup, is_counted: bool) -> Markup {
        let (title, what) = (format!("{}-title", self.id), format!("{}-what", self.id));
        let has_values = match is_counted {
            true => (0..self.hours.len()).any(|hour| self.sum(hour) > 0.0),
            false => self
                .series
                .iter()
                .any(|series| series.values.iter().any(Option::is_some)),
        };
        html! {
            figure.chart {
                (self.legend(is_counted))
                // The style sheet leaves space at the left for the labels of the scale.
                svg.plot role="img" width="100%" height=(pixel(ABOVE + HEIGHT + BELOW))
                    aria-labelledby=(title) aria-describedby=(what) {
                    title #(title) { (self.title) }
                    desc #(what) { (self.summary(is_counted)) }
                    @for (at, label) in &scale.ticks {
                        @let y = scale.y(*at);
                        text.value x="-8" y=(pixel(y + 4.0)) text-anchor="end" { (label) }
                        line.grid x1="0" x2="100%" y1=(pixel(y)) y2=(pixel(y)) {}
                    }
                    (plot)
                    (self.labels())
                    @if !has_values {
                        text.nothing x="50%" y=(pixel(ABOVE + HEIGHT / 2.0)) text-anchor="middle" {
                            "none in this time"
                        }
                    }
                    (self.hints())
                }
                (self.numbers())
            }
        }
    }

    /// The hours below the plot, as the time that has passed since then: it is the same in every time zone.
    fn labels(&self) -> Markup {
        let present = self.hours.len().saturating_sub(1);
        let y = pixel(ABOVE + HEIGHT + 18.0);
        html! {
            @for hour in (0..self.hours.len()).filter(|hour| (present - hour).is_multiple_of(LABELLED)) {
                @match present - hour {
                    0 => text.hour x="100%" y=(y) text-anchor="end" { "now" },
                    ago => {
                        text.hour x=(self.middle(hour)) y=(y) text-anchor="middle" { "\u{2212}" (ago) " h" }
                    }
                }
            }
        }
    }

    /// The numbers of an hour, for the pointer.
    fn hints(&self) -> Markup {
        let present = self.hours.len().saturating_sub(1);
        let width = 100.0 / self.hours.len().max(1) as f64;
        html! {
            @for hour in 0..self.hours.len() {
                rect.hit x=(percent(hour as f64 * width)) width=(percent(width)) y="0"
                    height=(pixel(ABOVE + HEIGHT)) {
                    title {
                        @match present - hour { 0 => "this hour", ago => { (ago) " h ago" } }
                        @for series in &self.series {
                            "\n" (series.name) ": " (self.unit.exact(series.value(hour)))
                        }
                    }
                }
            }
        }
    }

    fn legend(&self, is_counted: bool) -> Markup {
        html! {
            ul.legend {
                @for series in &self.series {
                    li {
                        svg width="16" height="10" aria-hidden="true" {
                            @match is_counted {
                                true => rect class=(series.class) x="3" width="10" height="10" {},
                                false => line class=(series.class) x1="0" x2="16" y1="5" y2="5" {},
                            }
                        }
                        (series.name)
                        @if is_counted { " " strong { (grouped(series.sum())) } }
                    }
                }
            }
        }
    }

    /// What the picture shows, in a sentence.
    fn summary(&self, is_counted: bool) -> String {
        let of = |series: &Series| match is_counted {
            true => format!("{} {}", series.sum(), series.name.to_lowercase()),
            false => {
                let known: Vec<_> = series.values.iter().flatten().collect();
                match (known.iter().min(), known.iter().max()) {
                    (Some(least), Some(most)) => {
                        let (least, most) = (
                            self.unit.exact(Some(**least)),
                            self.unit.exact(Some(**most)),
                        );
                        format!("{} from {least} to {most}", series.name)
                    }
                    _ => format!("no {}", series.name),
                }
            }
        };
        let parts: Vec<_> = self.series.iter().map(of).collect();
        format!(
            "By the hour, {} hours: {}.",
            self.hours.len(),
            parts.join(", ")
        )
    }

    /// The numbers, for who cannot see the picture.
    fn numbers(&self) -> Markup {
        html! {
            details.numbers {
                summary { "Show the numbers" }
                div.scroll tabindex="0" role="region" aria-label={ (self.title) ", numbers" } {
                    table {
                        thead {
                            tr {
                                th scope="col" { "Hour" }
                                @for series in &self.series { th.number scope="col" { (series.name) } }
                            }
                        }
                        tbody {
                            @for (hour, at) in self.hours.iter().enumerate() {
                                tr {
                                    th scope="row" { time datetime=(at) { (text(at)) } }
                                    @for series in &self.series {
                                        td.number { (self.unit.exact(series.value(hour))) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// The middle of an hour.
    fn middle(&self, hour: usize) -> String {
        percent((hour as f64 + 0.5) * 100.0 / self.hours.len().max(1) as f64)
    }

    fn sum(&self, hour: usize) -> f64 {
        let values = self.series.iter().map(|series| series.at(hour));
        values.sum()
    }

    /// The parts of an hour's bar from the bottom up: the class, the upper edge and the height.
    fn stack(&self, hour: usize, scale: &Scale) -> Vec<(&'static str, f64, f64)> {
        stack(&self.series, hour, HEIGHT / scale.top, ABOVE + HEIGHT)
    }
}

impl Series {
    fn value(&self, hour: usize) -> Option<u64> {
        self.values.get(hour).copied().flatten()
    }

    fn at(&self, hour: usize) -> f64 {
        self.value(hour).unwrap_or(0) as f64
    }

    fn sum(&self) -> u64 {
        let known = self.values.iter().flatten();
        known.fold(0, |sum: u64, value| sum.saturating_add(*value))
    }
}

impl Unit {
    /// A value, with every digit.
    fn exact(self, value: Option<u64>) -> String {
        match (value, self) {
            (None, _) => "–".to_owned(),
            (Some(value), Self::Things) => grouped(value),
            (Some(value), Self::Milliseconds) => format!("{} ms", grouped(value)),
        }
    }

    /// The name and the size of the unit in which values up to this one are easy to read.
    fn readable(self, most: f64) -> (&'static str, f64) {
        let units: &[_] = match self {
            Self::Things => &[("", 1.0)],
            Self::Milliseconds => &[
                (" h", 3_600_000.0),
                (" min", 60_000.0),
                (" s", 1_000.0),
                (" ms", 1.0),
            ],
        };
        let fits = units.iter().find(|(_, size)| most >= *size);
        *fits.or(units.last()).unwrap_or(&("", 1.0))
    }
}

impl Scale {
    /// A few round numbers, from 0 to one that is no less than the greatest value.
    fn of(most: f64, unit: Unit) -> Self {
        let (name, size) = unit.readable(most);
        let least = if size > 1.0 { 0.1 } else { 1.0 };
        let step = round_up(most / size / STEPS).max(least);
        let steps = (most / size / step).ceil().max(1.0);
        let ticks = (0..=steps as usize).map(|place| {
            let value = place as f64 * step;
            let name = if value == 0.0 { "" } else { name };
            (value * size, short(value) + name)
        });
        Self {
            ticks: ticks.collect(),
            top: steps * step * size,
        }
    }

    fn y(&self, value: f64) -> f64 {
        ABOVE + HEIGHT * (1.0 - value / self.top)
    }
}

/// Small bars by the hour, with the series on top of each other.
pub(super) fn sparkline(title: &str, series: &[Series]) -> Markup {
    let hours = series.iter().map(|series| series.values.len()).max();
    let hours = hours.unwrap_or(0);
    let sums = (0..hours).map(|hour| series.iter().map(|series| series.at(hour)).sum());
    let most: f64 = sums.fold(0.0, f64::max);
    let factor = if most > 0.0 { SPARK_HEIGHT / most } else { 0.0 };
    let width = hours * SPARK_WIDTH;
    html! {
        svg.spark role="img" width=(width) height=(pixel(SPARK_HEIGHT + 1.0)) {
            title { (text(title)) }
            @for hour in 0..hours {
                @for (class, from, height) in stack(series, hour, factor, SPARK_HEIGHT) {
                    rect class=(class) x=(hour * SPARK_WIDTH) width=(SPARK_WIDTH - 1) y=(pixel(from.max(0.0)))
                        height=(pixel(height)) {}
                }
            }
            line.grid x1="0" x2=(width) y1=(pixel(SPARK_HEIGHT + 0.5)) y2=(pixel(SPARK_HEIGHT + 0.5)) {}
        }
    }
}

/// A number with a bar as long as its part of the greatest one.
pub(super) fn bar(value: u64, most: u64, class: &str) -> Markup {
    let part = value as f64 * 100.0 / most.max(1) as f64;
    html! {
        (grouped(value))
        svg.part width="100%" height="4" aria-hidden="true" {
            rect.track width="100%" height="4" {}
            @if value > 0 { rect class=(class) width=(percent(part.clamp(3.0, 100.0))) height="4" {} }
        }
    }
}

/// The parts of an hour's bar from the bottom up: the class, the upper edge and the height.
fn stack(
    series: &[Series],
    hour: usize,
    factor: f64,
    bottom: f64,
) -> Vec<(&'static str, f64, f64)> {
    let mut top = bottom;
    let parts = series.iter().filter(|series| series.at(hour) > 0.0);
    let parts = parts.map(|series| {
        let height = (series.at(hour) * factor).max(LEAST_HEIGHT);
        top -= height;
        (series.class, top, height)
    });
    parts.collect()
}

/// The least of 1, 2, 5 and their multiples by a power of 10 that is no less than a number.
fn round_up(number: f64) -> f64 {
    if number <= 0.0 {
        return 0.0;
    }
    let power = 10_f64.powf(number.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0].into_iter();
    let mut fit = factors.filter(|factor| factor * power >= number * (1.0 - 1e-9));
    fit.next().unwrap_or(10.0) * power
}

/// A number of a scale in a few characters, such as 1.5k.
fn short(number: f64) -> String {
    const UNITS: [(f64, &str); 6] = [
        (1e18, "E"),
        (1e15, "P"),
        (1e12, "T"),
        (1e9, "G"),
        (1e6, "M"),
        (1e3, "k"),
    ];
    let unit = UNITS.into_iter().find(|(size, _)| number >= *size);
    let (size, unit) = unit.unwrap_or((1.0, ""));
    // The sum of ten tenths is not one.
    let rounded = (number / size * 100.0).round() / 100.0;
    format!("{rounded}{unit}")
}

fn percent(part: f64) -> String {
    format!("{part:.2}%")
}

fn pixel(length: f64) -> String {
    format!("{length:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use scraper::{Html, Selector};

    fn series(class: &'static str, values: &[Option<u64>]) -> Series {
        Series {
            name: class,
            class,
            values: values.to_vec(),
        }
    }

    fn chart(unit: Unit, series: Vec<Series>) -> Chart {
        let hours = series.first().map_or(0, |series| series.values.len());
        let hours = (0..hours).map(|hour| format!("2026-09-21T{hour:02}:00:00.000Z"));
        Chart {
            id: "requests",
            title: "Requests",
            unit,
            hours: hours.collect(),
            series,
        }
    }

    /// An attribute of each element that a selector finds, as a number.
    fn numbers(markup: &Markup, selector: &str, attribute: &str) -> Vec<f64> {
        let html = Html::parse_fragment(&markup.clone().into_string());
        let selector = Selector::parse(selector).unwrap();
        let found = html.select(&selector);
        let value = |element: scraper::ElementRef<'_>| {
            let value = element.value().attr(attribute).unwrap();
            value.trim_end_matches('%').parse().unwrap()
        };
        found.map(value).collect()
    }

    fn texts(markup: &Markup, selector: &str) -> Vec<String> {
        let html = Html::parse_fragment(&markup.clone().into_string());
        let selector = Selector::parse(selector).unwrap();
        let found = html.select(&selector);
        found.map(|element| element.text().collect()).collect()
    }

    fn labels(most: f64, unit: Unit) -> Vec<String> {
        let ticks = Scale::of(most, unit).ticks.into_iter();
        ticks.map(|(_, label)| label).collect()
    }

    #[test]
    fn a_scale_has_a_few_round_numbers() {
        let things = |most| labels(most, Unit::Things).join(" ");
        for (most, expected) in [
            (0.0, "0 1"),
            (1.0, "0 1"),
            (3.0, "0 1 2 3"),
            (7.0, "0 2 4 6 8"),
            (97.0, "0 50 100"),
            (1_900.0, "0 500 1k 1.5k 2k"),
            (1_234_567.0, "0 500k 1M 1.5M"),
            (u64::MAX as f64, "0 5E 10E 15E 20E"),
        ] {
            assert_eq!(things(most), expected, "{most}");
        }
        let durations = |most| labels(most, Unit::Milliseconds).join(" ");
        for (most, expected) in [
            (0.0, "0 1 ms"),
            (190.0, "0 50 ms 100 ms 150 ms 200 ms"),
            (1_900.0, "0 0.5 s 1 s 1.5 s 2 s"),
            (2_100.0, "0 1 s 2 s 3 s"),
            (20_000.0, "0 5 s 10 s 15 s 20 s"),
            (400_000.0, "0 2 min 4 min 6 min 8 min"),
            (7_000_000.0, "0 0.5 h 1 h 1.5 h 2 h"),
            (260_000_000.0, "0 20 h 40 h 60 h 80 h"),
        ] {
            assert_eq!(durations(most), expected, "{most}");
        }
    }

    #[test]
    fn no_value_is_outside_of_the_scale() {
        for most in [1, 9, 10, 11, 99, 999, 1_001, 123_456, u64::MAX] {
            for unit in [Unit::Things, Unit::Milliseconds] {
                let scale = Scale::of(most as f64, unit);
                assert!(scale.top >= most as f64, "{most} {scale:?}");
                assert!((2..=6).contains(&scale.ticks.len()), "{most} {scale:?}");
            }
        }
    }

    #[test]
    fn the_parts_of_a_bar_stand_on_each_other() {
        let chart = chart(
            Unit::Things,
            vec![
                series("accepted", &[Some(6), None]),
                series("rejected", &[Some(2), Some(0)]),
            ],
        );
        let shown = chart.bars();
        let (y, height) = (
            numbers(&shown, ".plot rect:not(.hit)", "y"),
            numbers(&shown, ".plot rect:not(.hit)", "height"),
        );
        // 8 is the top of the scale.
        assert_eq!((y, height), (vec![44.0, 12.0], vec![96.0, 32.0]));
        assert_eq!(texts(&shown, ".legend strong"), ["6", "2"]);
        assert_eq!(texts(&shown, "tbody td"), ["6", "2", "–", "0"]);
    }

    #[test]
    fn what_is_little_beside_much_is_seen() {
        let chart = chart(
            Unit::Things,
            vec![
                series("accepted", &[Some(u64::MAX)]),
                series("rejected", &[Some(1)]),
            ],
        );
        let heights = numbers(&chart.bars(), ".plot rect:not(.hit)", "height");
        assert_eq!(heights[1], LEAST_HEIGHT);
        let tops = numbers(&chart.bars(), ".plot rect:not(.hit)", "y");
        assert!(tops.iter().all(|top| *top >= 0.0), "{tops:?}");
    }

    #[test]
    fn a_line_breaks_where_there_is_no_value() {
        let values = [Some(5), Some(5), None, Some(7), None, Some(5), Some(5)];
        let shown = chart(Unit::Milliseconds, vec![series("p50", &values)]).lines();
        assert_eq!(numbers(&shown, ".plot line.p50", "x1").len(), 2);
        // A single point is no line.
        assert_eq!(numbers(&shown, ".plot circle.p50", "cx"), [50.0]);
        assert_eq!(texts(&shown, "tbody td")[2], "–");
    }

    #[test]
    fn one_point_equal_points_and_zeros_are_seen() {
        let one = chart(Unit::Milliseconds, vec![series("p50", &[None, Some(40)])]).lines();
        assert_eq!(numbers(&one, ".plot circle", "cy"), [ABOVE]);
        let equal = chart(
            Unit::Milliseconds,
            vec![series("p50", &[Some(30), Some(30)])],
        )
        .lines();
        assert_eq!(numbers(&equal, ".plot line.p50", "y1"), [ABOVE]);
        let zeros = chart(Unit::Milliseconds, vec![series("p50", &[Some(0), Some(0)])]).lines();
        assert_eq!(numbers(&zeros, ".plot line.p50", "y1"), [ABOVE + HEIGHT]);
        assert!(texts(&zeros, ".nothing").is_empty());
    }

    #[test]
    fn a_chart_without_values_says_so() {
        let none = [None, None];
        let lines = chart(Unit::Milliseconds, vec![series("p50", &none)]).lines();
        let bars = chart(Unit::Things, vec![series("accepted", &[Some(0), Some(0)])]).bars();
        let empty = chart(Unit::Things, Vec::new()).bars();
        for shown in [lines, bars, empty] {
            assert_eq!(texts(&shown, ".nothing"), ["none in this time"]);
            assert!(!shown.into_string().contains("NaN"));
        }
    }

    #[test]
    fn a_picture_has_a_name_a_description_and_its_numbers() {
        let values: Vec<_> = (1..=24).map(Some).collect();
        let shown = chart(Unit::Things, vec![series("accepted", &values)]).bars();
        assert_eq!(texts(&shown, "svg[role=img] > title"), ["Requests"]);
        let described = texts(&shown, "svg[role=img] > desc");
        assert_eq!(described, ["By the hour, 24 hours: 300 accepted."]);
        assert_eq!(texts(&shown, "tbody tr").len(), 24);
        assert_eq!(
            texts(&shown, ".plot text.hour"),
            ["\u{2212}18 h", "\u{2212}12 h", "\u{2212}6 h", "now"]
        );
        assert_eq!(
            texts(&shown, ".hit title").last().unwrap(),
            "this hour\naccepted: 24"
        );
        assert!(!shown.into_string().contains("style="));
    }

    #[test]
    fn a_sparkline_has_a_bar_for_each_hour_that_has_something() {
        let parts = [
            series("delivered", &[Some(3), None, Some(0)]),
            series("failed", &[Some(1), None, Some(4)]),
        ];
        let shown = sparkline("<8> attempts", &parts);
        assert_eq!(numbers(&shown, "rect", "height"), [15.0, 5.0, 20.0]);
        assert_eq!(numbers(&shown, "rect", "x"), [0.0, 0.0, 8.0]);
        assert_eq!(texts(&shown, "title"), ["<8> attempts"]);
        assert!(!sparkline("", &[]).into_string().contains("NaN"));
    }

    #[test]
    fn a_bar_is_a_part_of_the_greatest() {
        let of = |value, most| numbers(&bar(value, most, "accepted"), "rect.accepted", "width");
        assert_eq!(of(50, 200), [25.0]);
        assert_eq!(of(1, u64::MAX), [3.0]);
        assert_eq!(of(u64::MAX, u64::MAX), [100.0]);
        assert!(of(0, 0).is_empty());
    }
}
