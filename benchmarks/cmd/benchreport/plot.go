package main

import (
	"errors"
	"image/color"
	"math"
	"os"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// drawing is a plot with its size and its legend.
type drawing struct {
	*plot.Plot

	width, height vg.Length
	title         string
	legend        plot.Legend
}

// edge stays free around a drawing.
const edge = 3 * vg.Millimeter

// writeTo writes an SVG file.
func (d drawing) writeTo(path string) error {
	svg := vgsvg.New(d.width, d.height)
	d.drawOn(draw.New(svg))
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = svg.WriteTo(f)
	return errors.Join(err, f.Close())
}

// drawOn draws the title and the legend above the plot, side by side: neither lies over a mark or the edge.
func (d drawing) drawOn(all draw.Canvas) {
	all.SetColor(color.White)
	all.Fill(all.Path())
	all = draw.Crop(all, edge, -2*edge, edge, -edge)
	d.legend.Draw(all)
	style := d.Title.TextStyle
	all.FillText(style, vg.Point{X: all.Min.X, Y: all.Max.Y}, d.title)
	head := max(d.legend.Rectangle(all).Size().Y, style.Height(d.title))
	d.Draw(draw.Crop(all, 0, 0, 0, -head-edge))
}

// colours that people who see few of them can tell apart (Okabe and Ito).
var colours = []color.Color{
	color.RGBA{R: 0, G: 114, B: 178, A: 255},
	color.RGBA{R: 230, G: 159, B: 0, A: 255},
	color.RGBA{R: 0, G: 158, B: 115, A: 255},
	color.RGBA{R: 204, G: 121, B: 167, A: 255},
}

var shapes = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{}}

const plotWidth = 22 * vg.Centimeter

func newDrawing(title, x string, height vg.Length) drawing {
	p := plot.New()
	p.X.Label.Text = x
	p.Title.TextStyle.XAlign, p.Title.TextStyle.YAlign = draw.XLeft, draw.YTop
	legend := plot.NewLegend()
	legend.Top, legend.Padding = true, vg.Millimeter
	return drawing{Plot: p, width: plotWidth, height: height, title: title, legend: legend}
}

// band is a median with its interval.
type band struct{ center, lo, hi float64 }

// bands are points on the axis of peers.
type bands struct {
	plotter.XYs
	errors plotter.XErrors
}

// XError returns the interval of a point.
func (b bands) XError(i int) (lo, hi float64) { return b.errors[i].Low, b.errors[i].High }

func (b *bands) add(y float64, v band) {
	b.XYs = append(b.XYs, plotter.XY{X: v.center, Y: y})
	b.errors = append(b.errors, struct{ Low, High float64 }{v.lo - v.center, v.hi - v.center})
}

// plotOf draws a question.
func (q question) plotOf(r *results) (drawing, error) {
	if q.plot != nil {
		return q.plot(q, r)
	}
	return comparePlot(q, r)
}

// comparePlot has a line for every peer, with a point for every value of the question's series; ours is on top.
func comparePlot(q question, r *results) (drawing, error) {
	d := newDrawing(q.title, "time for an event in µs: median, and its 95% interval", vg.Length(len(q.peers))*vg.Centimeter+4*vg.Centimeter)
	names := make([]string, len(q.peers))
	for i, p := range q.peers {
		names[len(names)-1-i] = p.label
	}
	var seen []string
	for _, setting := range r.settings() {
		if name := setting[q.series]; (&cell{keys: setting}).in(q.pinned) && !slices.Contains(seen, name) {
			seen = append(seen, name)
		}
	}
	for i, name := range seen {
		in := map[string]string{q.series: name}
		for key, value := range q.pinned {
			in[key] = value
		}
		var points bands
		for j, p := range q.peers {
			c := r.find(p.name, in)
			if c == nil {
				continue
			}
			offset := 0.18 * (float64(i) - float64(len(seen)-1)/2)
			points.add(float64(len(q.peers)-1-j)-offset, c.band(unitTime, 1e3))
		}
		if err := d.addBands(points, i, legendOf(q.series, name)); err != nil {
			return d, err
		}
	}
	d.compare(names)
	return d, nil
}

// compare finishes a drawing with a row for every name, the last on top.
func (d *drawing) compare(names []string) {
	d.NominalY(names...)
	logarithmic(&d.X)
	d.Y.Min, d.Y.Max = -0.6, float64(len(names))-0.4
	d.Add(plotter.NewGrid())
}

// legendOf is what a legend says of a value of a series.
func legendOf(series, value string) string {
	if series == "writers" {
		return thousands(value) + plural(value, " writer")
	}
	return value
}

// band is the median of a unit, divided; a single run has no interval.
func (c *cell) band(unit string, by float64) band {
	s := c.summary(unit)
	b := band{s.Center / by, s.Lo / by, s.Hi / by}
	if math.IsInf(b.lo, 0) || math.IsInf(b.hi, 0) || b.lo <= 0 {
		b.lo, b.hi = b.center, b.center
	}
	return b
}

func (d *drawing) addBands(points bands, i int, name string) error {
	scatter, err := plotter.NewScatter(points)
	if err != nil {
		return err
	}
	scatter.Color, scatter.Shape, scatter.Radius = colours[i%len(colours)], shapes[i%len(shapes)], vg.Points(3.5)
	intervals, err := plotter.NewXErrorBars(points)
	if err != nil {
		return err
	}
	intervals.Color = scatter.Color
	d.Add(intervals, scatter)
	d.legend.Add(name, scatter)
	return nil
}

// logarithmic scales an axis by powers of ten, with room at both ends.
func logarithmic(a *plot.Axis) {
	a.Scale, a.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	a.Min, a.Max = math.Pow(10, math.Floor(math.Log10(a.Min))), math.Pow(10, math.Ceil(math.Log10(a.Max)))
}

// growthPlot has a line for every sink.
func growthPlot(q question, r *results) (drawing, error) {
	key := growthKey(q)
	d := newDrawing(q.title, key, 9*vg.Centimeter)
	d.Y.Label.Text = "time for an event in µs"
	lines := map[string]plotter.XYs{}
	var names []string
	for _, c := range sortedBy(r, key) {
		name := c.keys["sink"]
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		lines[name] = append(lines[name], plotter.XY{X: value(c, key), Y: c.median(unitTime) / 1e3})
	}
	for i, name := range names {
		line, points, err := plotter.NewLinePoints(lines[name])
		if err != nil {
			return d, err
		}
		line.Color, points.Color, points.Shape = colours[i], colours[i], shapes[i]
		d.Add(line, points)
		d.legend.Add(name, line, points)
	}
	logarithmic(&d.X)
	logarithmic(&d.Y)
	d.Add(plotter.NewGrid())
	return d, nil
}

// linkedPlot has a bar for every program.
func linkedPlot(q question, r *results) (drawing, error) {
	d := newDrawing(q.title, "MiB of a stripped binary", vg.Length(len(r.cells))*vg.Centimeter+3*vg.Centimeter)
	var sizes plotter.Values
	var names []string
	for _, c := range slices.Backward(r.cells) {
		sizes = append(sizes, c.median("size-B")/(1<<20))
		names = append(names, c.keys["program"])
	}
	bars, err := plotter.NewBarChart(sizes, vg.Points(16))
	if err != nil {
		return d, err
	}
	bars.Horizontal, bars.Color, bars.LineStyle.Width = true, colours[0], 0
	d.Add(bars)
	d.NominalY(names...)
	d.X.Max *= 1.05
	return d, nil
}
