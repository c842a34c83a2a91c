"""First Light in TouchDesigner: builds the component `first_light`.

Run it in the Textport: exec(open(r'FOLDER/first_light.py', encoding='utf-8').read())
or paste it into a Text DAT and choose Run Script. Run again, it makes the component anew where it
is, with what its parameters hold and with its wires. Made by `firstlight patch touchdesigner`.
"""

HOST = '127.0.0.1'
PORT = 9137
FEEDBACK = 9138

# Each knob: its parameter, its page, where it lives in First Light, and what it takes.
KNOBS = [
    {'name': 'Seefeedback', 'fader': '', 'page': 'See', 'label': 'Feedback', 'address': '/see/feedback', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 1.0, 'choices': [], 'help': 'share of the last picture sent in what is seen: trails; 1 sees only itself'},
    {'name': 'Seezoom', 'fader': 'Seezoomfader', 'page': 'See', 'label': 'Zoom', 'address': '/see/zoom', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 1.0, 'min': 1.0, 'max': 8.0, 'choices': [], 'help': 'times nearer; with feedback a tunnel', 'taper': 'log', 'floor': 0.0, 'travel': 0.0},
    {'name': 'Seemirror', 'fader': '', 'page': 'See', 'label': 'Mirror', 'address': '/see/mirror', 'kind': 'choice', 'access': 'rw', 'preset': True, 'asks': False, 'default': 'off', 'min': None, 'max': None, 'choices': ['off', 'flip', 'fold', 'four'], 'help': 'flip: a looking glass; fold: the left half on both sides; four: a quarter four times'},
    {'name': 'Seegray', 'fader': '', 'page': 'See', 'label': 'Gray', 'address': '/see/gray', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 1.0, 'choices': [], 'help': 'how much colour is taken away'},
    {'name': 'Seeflatten', 'fader': '', 'page': 'See', 'label': 'Flatten', 'address': '/see/flatten', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 1.0, 'choices': [], 'help': "how much of a paper's uneven light is taken away"},
    {'name': 'Seepremedian', 'fader': '', 'page': 'See', 'label': 'Pre Median px', 'address': '/see/pre_median', 'kind': 'int', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0, 'min': 0, 'max': 15, 'choices': [], 'help': 'takes specks and thin lines away, in squares of so many pixels; up to 1 = off'},
    {'name': 'Seepreblur', 'fader': 'Seepreblurfader', 'page': 'See', 'label': 'Pre Blur px', 'address': '/see/pre_blur', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 16.0, 'choices': [], 'help': 'softens what is drawn, before it is: fewer and longer lines; 0 = off', 'taper': 'log', 'floor': 0.3, 'travel': 0.0},
    {'name': 'Seelevels', 'fader': '', 'page': 'See', 'label': 'Levels', 'address': '/see/levels', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 1.0, 'choices': [], 'help': 'how much of the way the darkest goes to black and the brightest to white'},
    {'name': 'Seecoarse', 'fader': 'Seecoarsefader', 'page': 'See', 'label': 'Coarse', 'address': '/see/coarse', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 1.0, 'min': 1.0, 'max': 32.0, 'choices': [], 'help': 'seen through so many times fewer pixels, and smoothly enlarged; 1 = off', 'taper': 'log', 'floor': 0.0, 'travel': 0.0},
    {'name': 'Seedrawing', 'fader': '', 'page': 'See', 'label': 'Drawing', 'address': '/see/drawing', 'kind': 'choice', 'access': 'rw', 'preset': True, 'asks': False, 'default': 'off', 'min': None, 'max': None, 'choices': ['off', 'canny', 'threshold'], 'help': 'canny: outlines, white on black; threshold: as with a pen, dark on white paper'},
    {'name': 'Seecannyt1', 'fader': '', 'page': 'See', 'label': 'Canny T1', 'address': '/see/canny_t1', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 50.0, 'min': 0.0, 'max': 255.0, 'choices': [], 'help': 'how steep an outline is to be to go on, in levels of 255'},
    {'name': 'Seecannyt2', 'fader': '', 'page': 'See', 'label': 'Canny T2', 'address': '/see/canny_t2', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 100.0, 'min': 0.0, 'max': 255.0, 'choices': [], 'help': 'how steep an outline is to be somewhere to be drawn at all, in levels of 255'},
    {'name': 'Seethresholdblock', 'fader': '', 'page': 'See', 'label': 'Threshold Block px', 'address': '/see/threshold_block', 'kind': 'int', 'access': 'rw', 'preset': True, 'asks': False, 'default': 11, 'min': 3, 'max': 101, 'choices': [], 'help': 'side of the square that a line is to be darker than: small for thin lines; odd'},
    {'name': 'Seethresholdc', 'fader': '', 'page': 'See', 'label': 'Threshold C', 'address': '/see/threshold_c', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 10.0, 'min': 0.0, 'max': 64.0, 'choices': [], 'help': 'by how many levels of 255 it is to be darker: more leaves more paper white'},
    {'name': 'Seepencil', 'fader': '', 'page': 'See', 'label': 'Pencil', 'address': '/see/pencil', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 1.0, 'choices': [], 'help': "from hard ink to a pencil's greys"},
    {'name': 'Seeblur', 'fader': 'Seeblurfader', 'page': 'See', 'label': 'Blur px', 'address': '/see/blur', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 64.0, 'choices': [], 'help': 'softens what is seen, by this deviation; 0 = off', 'taper': 'log', 'floor': 0.3, 'travel': 0.0},
    {'name': 'Seecontrast', 'fader': '', 'page': 'See', 'label': 'Contrast', 'address': '/see/contrast', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 1.0, 'min': 0.0, 'max': 4.0, 'choices': [], 'help': 'times the distance from middle grey: 0 is fog, 4 is a woodcut'},
    {'name': 'Seeinvert', 'fader': '', 'page': 'See', 'label': 'Invert', 'address': '/see/invert', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 1.0, 'choices': [], 'help': 'how much of the negative: 0.5 is grey, 1 all of it'},
    {'name': 'Learnon', 'fader': '', 'page': 'Learn', 'label': 'On', 'address': '/learn/on', 'kind': 'bool', 'access': 'rw', 'preset': True, 'asks': False, 'default': True, 'min': None, 'max': None, 'choices': [], 'help': 'learn from what is seen; off, not one weight moves'},
    {'name': 'Learnsteps', 'fader': '', 'page': 'Learn', 'label': 'Steps', 'address': '/learn/steps', 'kind': 'int', 'access': 'rw', 'preset': True, 'asks': False, 'default': 1, 'min': 0, 'max': 16, 'choices': [], 'help': 'steps on each frame, as far as time allows: more is more immediate, and forgets more'},
    {'name': 'Learnbudget', 'fader': '', 'page': 'Learn', 'label': 'Budget ms', 'address': '/learn/budget', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 100.0, 'choices': [], 'help': "most time to spend on a frame's steps after the first; 0 = until the next is due"},
    {'name': 'Learnblank', 'fader': '', 'page': 'Learn', 'label': 'Blank', 'address': '/learn/blank', 'kind': 'trigger', 'access': 'w', 'preset': False, 'asks': True, 'default': None, 'min': None, 'max': None, 'choices': [], 'help': 'begin again: a fresh random network, from the next seed'},
    {'name': 'Learnrule', 'fader': '', 'page': 'Learn', 'label': 'Rule', 'address': '/learn/rule', 'kind': 'choice', 'access': 'rw', 'preset': True, 'asks': False, 'default': 'adam', 'min': None, 'max': None, 'choices': ['sgd', 'momentum', 'nesterov', 'rmsprop', 'adam', 'sign'], 'help': 'how a gradient becomes a step; sgd shivers. Momentum plays all but sgd and rmsprop'},
    {'name': 'Learnrate', 'fader': 'Learnratefader', 'page': 'Learn', 'label': 'Rate', 'address': '/learn/rate', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0025, 'min': 0.0, 'max': 1.0, 'choices': [], 'help': 'learning rate: 0 holds still, 0.0025 learns, 0.1 bursts as far as trust lets it', 'taper': 'log', 'floor': 1e-06, 'travel': 0.5663233347786729},
    {'name': 'Learnmomentum', 'fader': 'Learnmomentumfader', 'page': 'Learn', 'label': 'Momentum', 'address': '/learn/momentum', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.9, 'min': 0.0, 'max': 0.9999, 'choices': [], 'help': 'how long a direction is kept: 0 is rough, 0.99 sways, 0.999 overshoots, 0.9999 bursts', 'taper': 'antilog', 'floor': 0.0001, 'travel': 0.25010048560585374},
    {'name': 'Learnsecond', 'fader': 'Learnsecondfader', 'page': 'Learn', 'label': 'Second', 'address': '/learn/second', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.95, 'min': 0.0, 'max': 0.9999, 'choices': [], 'help': "for adam, rmsprop: how long a gradient's size counts: low, it swings; high, cuts hit", 'taper': 'antilog', 'floor': 0.0001, 'travel': 0.32546753958481023},
    {'name': 'Learnclip', 'fader': 'Learnclipfader', 'page': 'Learn', 'label': 'Clip', 'address': '/learn/clip', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 1.0, 'min': 0.001, 'max': 10.0, 'choices': [], 'help': 'longest gradient let through: most are 0.02 to 0.5; lower, and all slows down', 'taper': 'log', 'floor': 0.0, 'travel': 0.7499999999999999},
    {'name': 'Learndecay', 'fader': 'Learndecayfader', 'page': 'Learn', 'label': 'Decay', 'address': '/learn/decay', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 100.0, 'choices': [], 'help': 'pull of every weight towards 0, times the rate: from 10 the picture fades', 'taper': 'log', 'floor': 0.001, 'travel': 0.0},
    {'name': 'Learntrust', 'fader': 'Learntrustfader', 'page': 'Learn', 'label': 'Trust', 'address': '/learn/trust', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.02, 'min': 0.001, 'max': 1.0, 'choices': [], 'help': 'farthest a layer may move in a step, as a share of its length; 1 lets it burst', 'taper': 'log', 'floor': 0.0, 'travel': 0.4336766652213271},
    {'name': 'Learnl2', 'fader': '', 'page': 'Learn', 'label': 'L2', 'address': '/learn/l2', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 1.0, 'min': 0.0, 'max': 1.0, 'choices': [], 'help': 'weight of the squared error: smooth, true in the mean, blurred where unsure'},
    {'name': 'Learnl1', 'fader': '', 'page': 'Learn', 'label': 'L1', 'address': '/learn/l1', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 1.0, 'choices': [], 'help': 'weight of the absolute error: flatter, harder edges, lets go of rare colours'},
    {'name': 'Learnssim', 'fader': '', 'page': 'Learn', 'label': 'Ssim', 'address': '/learn/ssim', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 1.0, 'choices': [], 'help': 'weight of structural similarity: light, contrast and texture in small windows'},
    {'name': 'Learnedges', 'fader': '', 'page': 'Learn', 'label': 'Edges', 'address': '/learn/edges', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 1.0, 'choices': [], 'help': 'weight of the error of edges: outlines stand, and alone the colours drain away'},
    {'name': 'Learnnoise', 'fader': '', 'page': 'Learn', 'label': 'Noise', 'address': '/learn/noise', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 1.0, 'choices': [], 'help': 'noise over what the network looks at, which it is to take away: stained, then softer'},
    {'name': 'Learnmask', 'fader': '', 'page': 'Learn', 'label': 'Mask', 'address': '/learn/mask', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 0.95, 'choices': [], 'help': 'share of patches hidden from the network, which it is to fill in: holes, then guesses'},
    {'name': 'Learnpatience', 'fader': 'Learnpatiencefader', 'page': 'Learn', 'label': 'Patience s', 'address': '/learn/patience', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 2.0, 'min': 0.5, 'max': 60.0, 'choices': [], 'help': 'how long an explosion may last before the network falls back to a past self', 'taper': 'log', 'floor': 0.0, 'travel': 0.28956590122791626},
    {'name': 'Memoryshare', 'fader': '', 'page': 'Memory', 'label': 'Share', 'address': '/memory/share', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 0.9, 'choices': [], 'help': 'weight of what is remembered in the loss: 0 forgets, 0.5 holds on to the past'},
    {'name': 'Memoryframes', 'fader': '', 'page': 'Memory', 'label': 'Frames', 'address': '/memory/frames', 'kind': 'int', 'access': 'rw', 'preset': True, 'asks': False, 'default': 2, 'min': 0, 'max': 3, 'choices': [], 'help': "remembered pictures in each step; each costs up to a step's time"},
    {'name': 'Memoryhalflife', 'fader': 'Memoryhalflifefader', 'page': 'Memory', 'label': 'Half Life s', 'address': '/memory/half_life', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 36000.0, 'choices': [], 'help': 'time in which half of what is not met again leaves the memory; 0 = it stays', 'taper': 'log', 'floor': 1.0, 'travel': 0.0},
    {'name': 'Memorysize', 'fader': '', 'page': 'Memory', 'label': 'Size', 'address': '/memory/size', 'kind': 'int', 'access': 'rw', 'preset': True, 'asks': False, 'default': 128, 'min': 1, 'max': 512, 'choices': [], 'help': 'most pictures kept (and at most a gibibyte): full, the most alike make room'},
    {'name': 'Memorymuseum', 'fader': '', 'page': 'Memory', 'label': 'Museum', 'address': '/memory/museum', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 1.0, 'choices': [], 'help': "share of the museum's pictures (--museum) among the remembered; share is their weight"},
    {'name': 'Memoryfull', 'fader': '', 'page': 'Memory', 'label': 'Full', 'address': '/memory/full', 'kind': 'float', 'access': 'r', 'preset': False, 'asks': False, 'default': 0.0, 'min': None, 'max': None, 'choices': [], 'help': 'how full the memory is, 0 to 1'},
    {'name': 'Memoryage', 'fader': '', 'page': 'Memory', 'label': 'Age s', 'address': '/memory/age', 'kind': 'float', 'access': 'r', 'preset': False, 'asks': False, 'default': 0.0, 'min': None, 'max': None, 'choices': [], 'help': 'since the pictures in memory were last met: the median'},
    {'name': 'Memorynovelty', 'fader': '', 'page': 'Memory', 'label': 'Novelty', 'address': '/memory/novelty', 'kind': 'float', 'access': 'r', 'preset': False, 'asks': False, 'default': 0.0, 'min': None, 'max': None, 'choices': [], 'help': 'of the last picture considered, 0 to 1; from 0.02 it is kept'},
    {'name': 'Memorypsnr', 'fader': '', 'page': 'Memory', 'label': 'Psnr dB', 'address': '/memory/psnr', 'kind': 'float', 'access': 'r', 'preset': False, 'asks': False, 'default': 0.0, 'min': None, 'max': None, 'choices': [], 'help': 'likeness of what the network makes of its memories'},
    {'name': 'Memoryforget', 'fader': '', 'page': 'Memory', 'label': 'Forget', 'address': '/memory/forget', 'kind': 'trigger', 'access': 'w', 'preset': False, 'asks': True, 'default': None, 'min': None, 'max': None, 'choices': [], 'help': 'forget every picture in the memory; the network keeps what it has learnt of them'},
    {'name': 'Brainanchor', 'fader': 'Brainanchorfader', 'page': 'Brain', 'label': 'Anchor', 'address': '/brain/anchor', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 1.0, 'choices': [], 'help': 'pull, at each step, to how it began or was last recalled: 0.03 is there in 2 seconds', 'taper': 'log', 'floor': 0.0001, 'travel': 0.0},
    {'name': 'Brainslot', 'fader': '', 'page': 'Brain', 'label': 'Slot', 'address': '/brain/slot', 'kind': 'int', 'access': 'rw', 'preset': False, 'asks': False, 'default': 1, 'min': 1, 'max': 8, 'choices': [], 'help': 'where save and load put, recall takes'},
    {'name': 'Braina', 'fader': '', 'page': 'Brain', 'label': 'A', 'address': '/brain/a', 'kind': 'int', 'access': 'rw', 'preset': False, 'asks': False, 'default': 0, 'min': 0, 'max': 8, 'choices': [], 'help': 'one end of morph: a slot; 0 = as it lives'},
    {'name': 'Brainb', 'fader': '', 'page': 'Brain', 'label': 'B', 'address': '/brain/b', 'kind': 'int', 'access': 'rw', 'preset': False, 'asks': False, 'default': 1, 'min': 0, 'max': 8, 'choices': [], 'help': 'the other end of morph; 0 = as it lives'},
    {'name': 'Brainmorph', 'fader': '', 'page': 'Brain', 'label': 'Morph', 'address': '/brain/morph', 'kind': 'float', 'access': 'rw', 'preset': False, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 1.0, 'choices': [], 'help': 'from a to b: the weights go along, and go on learning on the way'},
    {'name': 'Brainname', 'fader': '', 'page': 'Brain', 'label': 'Name', 'address': '/brain/name', 'kind': 'text', 'access': 'rw', 'preset': False, 'asks': False, 'default': '', 'min': None, 'max': None, 'choices': [], 'help': 'name of the brain that the next save writes, or that load reads'},
    {'name': 'Brainslots', 'fader': '', 'page': 'Brain', 'label': 'Slots', 'address': '/brain/slots', 'kind': 'text', 'access': 'r', 'preset': False, 'asks': False, 'default': '', 'min': None, 'max': None, 'choices': [], 'help': 'what is in the slots of this network'},
    {'name': 'Brainsaved', 'fader': '', 'page': 'Brain', 'label': 'Saved', 'address': '/brain/saved', 'kind': 'text', 'access': 'r', 'preset': False, 'asks': False, 'default': '', 'min': None, 'max': None, 'choices': [], 'help': 'the brain that was last written'},
    {'name': 'Braintaught', 'fader': '', 'page': 'Brain', 'label': 'Taught', 'address': '/brain/taught', 'kind': 'text', 'access': 'r', 'preset': False, 'asks': False, 'default': '', 'min': None, 'max': None, 'choices': [], 'help': 'what this brain was taught on, as its card counts it'},
    {'name': 'Brainsave', 'fader': '', 'page': 'Brain', 'label': 'Save', 'address': '/brain/save', 'kind': 'trigger', 'access': 'w', 'preset': False, 'asks': False, 'default': None, 'min': None, 'max': None, 'choices': [], 'help': 'keep the network as it is in the slot, and write it as a brain'},
    {'name': 'Brainrecall', 'fader': '', 'page': 'Brain', 'label': 'Recall', 'address': '/brain/recall', 'kind': 'trigger', 'access': 'w', 'preset': False, 'asks': False, 'default': None, 'min': None, 'max': None, 'choices': [], 'help': 'let the network be what is in the slot, and be anchored to that'},
    {'name': 'Brainload', 'fader': '', 'page': 'Brain', 'label': 'Load', 'address': '/brain/load', 'kind': 'trigger', 'access': 'w', 'preset': False, 'asks': False, 'default': None, 'min': None, 'max': None, 'choices': [], 'help': 'read the brain called name from the brains folder into the slot'},
    {'name': 'Brainautosave', 'fader': 'Brainautosavefader', 'page': 'Brain', 'label': 'Autosave s', 'address': '/brain/autosave', 'kind': 'float', 'access': 'rw', 'preset': False, 'asks': False, 'default': 60.0, 'min': 0.0, 'max': 3600.0, 'choices': [], 'help': 'how often all is saved, for --resume after a crash or a power cut; 0 = never', 'taper': 'log', 'floor': 1.0, 'travel': 0.5},
    {'name': 'Brainautosaved', 'fader': '', 'page': 'Brain', 'label': 'Autosaved', 'address': '/brain/autosaved', 'kind': 'text', 'access': 'r', 'preset': False, 'asks': False, 'default': '', 'min': None, 'max': None, 'choices': [], 'help': "when all was last saved, by this machine's clock"},
    {'name': 'Netname', 'fader': '', 'page': 'Net', 'label': 'Name', 'address': '/net/name', 'kind': 'choice', 'access': 'rw', 'preset': True, 'asks': False, 'default': 'paint', 'min': None, 'max': None, 'choices': ['tiles', 'sharp', 'paint', 'dream', 'ghost', 'hand', 'through'], 'help': 'the network: another wakes up as it was when it last ran, or with its brain, or blank'},
    {'name': 'Netsize', 'fader': '', 'page': 'Net', 'label': 'Size', 'address': '/net/size', 'kind': 'text', 'access': 'r', 'preset': False, 'asks': False, 'default': '', 'min': None, 'max': None, 'choices': [], 'help': 'width x height of the picture it makes'},
    {'name': 'Netweights', 'fader': '', 'page': 'Net', 'label': 'Weights', 'address': '/net/weights', 'kind': 'int', 'access': 'r', 'preset': False, 'asks': False, 'default': 0, 'min': None, 'max': None, 'choices': [], 'help': 'how many numbers it has learnt in'},
    {'name': 'Netgate', 'fader': '', 'page': 'Net', 'label': 'Gate', 'address': '/net/gate', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 1.0, 'min': 0.0, 'max': 1.0, 'choices': [], 'help': 'how far the code is open: lower, and the picture melts into fewer, larger shapes'},
    {'name': 'Netnoise', 'fader': '', 'page': 'Net', 'label': 'Noise', 'address': '/net/noise', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 2.0, 'choices': [], 'help': 'noise in the code, times its own size: shapes shiver, and dissolve into static at 2'},
    {'name': 'Netkl', 'fader': 'Netklfader', 'page': 'Net', 'label': 'Kl', 'address': '/net/kl', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 10.0, 'choices': [], 'help': 'pull of the code towards its middle: above 0 it trembles, from 1 it becomes clouds', 'taper': 'log', 'floor': 1e-05, 'travel': 0.0},
    {'name': 'Netdetail', 'fader': '', 'page': 'Net', 'label': 'Detail', 'address': '/net/detail', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 1.0, 'choices': [], 'help': "ghost's: how much of the place itself gets by the code: 0 all memory, 1 all presence"},
    {'name': 'Netpalette', 'fader': '', 'page': 'Net', 'label': 'Palette', 'address': '/net/palette', 'kind': 'text', 'access': 'rw', 'preset': True, 'asks': False, 'default': '', 'min': None, 'max': None, 'choices': [], 'help': 'hand: whose colours: a painting or collection it was taught on; own = of what is seen'},
    {'name': 'Netpaletteb', 'fader': '', 'page': 'Net', 'label': 'Palette B', 'address': '/net/palette_b', 'kind': 'text', 'access': 'rw', 'preset': True, 'asks': False, 'default': '', 'min': None, 'max': None, 'choices': [], 'help': 'hand: the other end of crossfade'},
    {'name': 'Netcrossfade', 'fader': '', 'page': 'Net', 'label': 'Crossfade', 'address': '/net/crossfade', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 1.0, 'choices': [], 'help': 'hand: from palette to palette_b'},
    {'name': 'Netgrain', 'fader': '', 'page': 'Net', 'label': 'Grain', 'address': '/net/grain', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 1.0, 'min': 0.0, 'max': 2.0, 'choices': [], 'help': 'hand: gain of the noise that strokes are made of: 0 is a plain print, 1 is paint'},
    {'name': 'Netstir', 'fader': '', 'page': 'Net', 'label': 'Stir Hz', 'address': '/net/stir', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 4.0, 'choices': [], 'help': 'hand: how often a second that noise is another; 0 = it stands, and nothing flickers'},
    {'name': 'Netcolours', 'fader': '', 'page': 'Net', 'label': 'Colours', 'address': '/net/colours', 'kind': 'text', 'access': 'r', 'preset': False, 'asks': False, 'default': '', 'min': None, 'max': None, 'choices': [], 'help': 'whose colours the hand has now'},
    {'name': 'Presetslot', 'fader': '', 'page': 'Preset', 'label': 'Slot', 'address': '/preset/slot', 'kind': 'int', 'access': 'rw', 'preset': False, 'asks': False, 'default': 1, 'min': 1, 'max': 8, 'choices': [], 'help': 'where save and load put, recall takes'},
    {'name': 'Presettime', 'fader': 'Presettimefader', 'page': 'Preset', 'label': 'Time s', 'address': '/preset/time', 'kind': 'float', 'access': 'rw', 'preset': False, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 60.0, 'choices': [], 'help': 'how long recall glides there; what has no in-between is there at once', 'taper': 'log', 'floor': 0.05, 'travel': 0.0},
    {'name': 'Preseta', 'fader': '', 'page': 'Preset', 'label': 'A', 'address': '/preset/a', 'kind': 'int', 'access': 'rw', 'preset': False, 'asks': False, 'default': 0, 'min': 0, 'max': 8, 'choices': [], 'help': 'one end of morph: a slot; 0 = as it stood'},
    {'name': 'Presetb', 'fader': '', 'page': 'Preset', 'label': 'B', 'address': '/preset/b', 'kind': 'int', 'access': 'rw', 'preset': False, 'asks': False, 'default': 1, 'min': 0, 'max': 8, 'choices': [], 'help': 'the other end of morph; 0 = as it stood'},
    {'name': 'Presetmorph', 'fader': '', 'page': 'Preset', 'label': 'Morph', 'address': '/preset/morph', 'kind': 'float', 'access': 'rw', 'preset': False, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 1.0, 'choices': [], 'help': "from a to b, every knob in its fader's travel; names and whole numbers at the half"},
    {'name': 'Presetname', 'fader': '', 'page': 'Preset', 'label': 'Name', 'address': '/preset/name', 'kind': 'text', 'access': 'rw', 'preset': False, 'asks': False, 'default': '', 'min': None, 'max': None, 'choices': [], 'help': 'name of the preset that the next save writes, or that load reads'},
    {'name': 'Presetslots', 'fader': '', 'page': 'Preset', 'label': 'Slots', 'address': '/preset/slots', 'kind': 'text', 'access': 'r', 'preset': False, 'asks': False, 'default': '', 'min': None, 'max': None, 'choices': [], 'help': 'what is in the slots'},
    {'name': 'Presetsave', 'fader': '', 'page': 'Preset', 'label': 'Save', 'address': '/preset/save', 'kind': 'trigger', 'access': 'w', 'preset': False, 'asks': False, 'default': None, 'min': None, 'max': None, 'choices': [], 'help': 'keep where every knob stands in the slot, and write it as a preset'},
    {'name': 'Presetrecall', 'fader': '', 'page': 'Preset', 'label': 'Recall', 'address': '/preset/recall', 'kind': 'trigger', 'access': 'w', 'preset': False, 'asks': False, 'default': None, 'min': None, 'max': None, 'choices': [], 'help': 'go to what is in the slot, in so long as time says'},
    {'name': 'Presetload', 'fader': '', 'page': 'Preset', 'label': 'Load', 'address': '/preset/load', 'kind': 'trigger', 'access': 'w', 'preset': False, 'asks': False, 'default': None, 'min': None, 'max': None, 'choices': [], 'help': 'read the preset called name, saved or shipped, into the slot'},
    {'name': 'Statsstate', 'fader': '', 'page': 'Stats', 'label': 'State', 'address': '/stats/state', 'kind': 'text', 'access': 'r', 'preset': False, 'asks': False, 'default': 'loading', 'min': None, 'max': None, 'choices': [], 'help': 'loading, waiting, learning, watching, holding, dreaming or ended'},
    {'name': 'Statsfps', 'fader': '', 'page': 'Stats', 'label': 'Fps 1/s', 'address': '/stats/fps', 'kind': 'float', 'access': 'r', 'preset': False, 'asks': False, 'default': 0.0, 'min': None, 'max': None, 'choices': [], 'help': 'pictures sent in the last second'},
    {'name': 'Statslatency', 'fader': '', 'page': 'Stats', 'label': 'Latency ms', 'address': '/stats/latency', 'kind': 'float', 'access': 'r', 'preset': False, 'asks': False, 'default': 0.0, 'min': None, 'max': None, 'choices': [], 'help': "from a frame's arrival to its picture's departure"},
    {'name': 'Statsbusy', 'fader': '', 'page': 'Stats', 'label': 'Busy ms', 'address': '/stats/busy', 'kind': 'float', 'access': 'r', 'preset': False, 'asks': False, 'default': 0.0, 'min': None, 'max': None, 'choices': [], 'help': 'what the last frame took, seeing, looking and learning'},
    {'name': 'Statspace', 'fader': '', 'page': 'Stats', 'label': 'Pace 1/s', 'address': '/stats/pace', 'kind': 'float', 'access': 'r', 'preset': False, 'asks': False, 'default': 0.0, 'min': None, 'max': None, 'choices': [], 'help': 'learning steps in the last second'},
    {'name': 'Statsframes', 'fader': '', 'page': 'Stats', 'label': 'Frames', 'address': '/stats/frames', 'kind': 'int', 'access': 'r', 'preset': False, 'asks': False, 'default': 0, 'min': None, 'max': None, 'choices': [], 'help': 'frames seen since the start'},
    {'name': 'Statsskipped', 'fader': '', 'page': 'Stats', 'label': 'Skipped', 'address': '/stats/skipped', 'kind': 'int', 'access': 'r', 'preset': False, 'asks': False, 'default': 0, 'min': None, 'max': None, 'choices': [], 'help': 'frames replaced by a newer one before they were seen'},
    {'name': 'Statsdropped', 'fader': '', 'page': 'Stats', 'label': 'Dropped', 'address': '/stats/dropped', 'kind': 'int', 'access': 'r', 'preset': False, 'asks': False, 'default': 0, 'min': None, 'max': None, 'choices': [], 'help': 'pictures that a recorder had no time for, or that a sink did not take'},
    {'name': 'Statssource', 'fader': '', 'page': 'Stats', 'label': 'Source', 'address': '/stats/source', 'kind': 'text', 'access': 'r', 'preset': False, 'asks': False, 'default': '', 'min': None, 'max': None, 'choices': [], 'help': 'where frames come from'},
    {'name': 'Statssink', 'fader': '', 'page': 'Stats', 'label': 'Sink', 'address': '/stats/sink', 'kind': 'text', 'access': 'r', 'preset': False, 'asks': False, 'default': '', 'min': None, 'max': None, 'choices': [], 'help': 'where pictures go, by the names that others see'},
    {'name': 'Statsroute', 'fader': '', 'page': 'Stats', 'label': 'Route', 'address': '/stats/route', 'kind': 'text', 'access': 'r', 'preset': False, 'asks': False, 'default': '', 'min': None, 'max': None, 'choices': [], 'help': 'how frames come and pictures go: on the graphics card, or by the host, and why'},
    {'name': 'Statswatchers', 'fader': '', 'page': 'Stats', 'label': 'Watchers', 'address': '/stats/watchers', 'kind': 'int', 'access': 'r', 'preset': False, 'asks': False, 'default': 0, 'min': None, 'max': None, 'choices': [], 'help': 'programs that take the picture, where they can be counted'},
    {'name': 'Statsfaults', 'fader': '', 'page': 'Stats', 'label': 'Faults', 'address': '/stats/faults', 'kind': 'int', 'access': 'r', 'preset': False, 'asks': False, 'default': 0, 'min': None, 'max': None, 'choices': [], 'help': 'turns that failed and were survived'},
    {'name': 'Statserror', 'fader': '', 'page': 'Stats', 'label': 'Error', 'address': '/stats/error', 'kind': 'text', 'access': 'r', 'preset': False, 'asks': False, 'default': '', 'min': None, 'max': None, 'choices': [], 'help': 'the last thing that went wrong, and what to do'},
    {'name': 'Statsstalled', 'fader': '', 'page': 'Stats', 'label': 'Stalled s', 'address': '/stats/stalled', 'kind': 'float', 'access': 'r', 'preset': False, 'asks': False, 'default': 0.0, 'min': None, 'max': None, 'choices': [], 'help': 'how long the loop has not turned, where that is over 2 s; 0 is well'},
    {'name': 'Statsrefused', 'fader': '', 'page': 'Stats', 'label': 'Refused', 'address': '/stats/refused', 'kind': 'int', 'access': 'r', 'preset': False, 'asks': False, 'default': 0, 'min': None, 'max': None, 'choices': [], 'help': 'values refused: the wrong kind, NaN, read-only, too many at once'},
    {'name': 'Statsclipped', 'fader': '', 'page': 'Stats', 'label': 'Clipped', 'address': '/stats/clipped', 'kind': 'int', 'access': 'r', 'preset': False, 'asks': False, 'default': 0, 'min': None, 'max': None, 'choices': [], 'help': 'values that lay outside their range and were clipped to it'},
    {'name': 'Statsunknown', 'fader': '', 'page': 'Stats', 'label': 'Unknown', 'address': '/stats/unknown', 'kind': 'int', 'access': 'r', 'preset': False, 'asks': False, 'default': 0, 'min': None, 'max': None, 'choices': [], 'help': 'messages to addresses that are not here'},
    {'name': 'Statsmessages', 'fader': '', 'page': 'Stats', 'label': 'Messages', 'address': '/stats/messages', 'kind': 'int', 'access': 'r', 'preset': False, 'asks': False, 'default': 0, 'min': None, 'max': None, 'choices': [], 'help': 'OSC messages that have arrived'},
    {'name': 'Statsmalformed', 'fader': '', 'page': 'Stats', 'label': 'Malformed', 'address': '/stats/malformed', 'kind': 'int', 'access': 'r', 'preset': False, 'asks': False, 'default': 0, 'min': None, 'max': None, 'choices': [], 'help': 'datagrams, or parts of bundles, that were not OSC'},
    {'name': 'Statsfailed', 'fader': '', 'page': 'Stats', 'label': 'Failed', 'address': '/stats/failed', 'kind': 'int', 'access': 'r', 'preset': False, 'asks': False, 'default': 0, 'min': None, 'max': None, 'choices': [], 'help': 'datagrams that First Light failed on: a bug, told in the log'},
    {'name': 'Statsheard', 'fader': '', 'page': 'Stats', 'label': 'Heard', 'address': '/stats/heard', 'kind': 'text', 'access': 'r', 'preset': False, 'asks': False, 'default': '', 'min': None, 'max': None, 'choices': [], 'help': 'the address of the last message'},
    {'name': 'Statsdenied', 'fader': '', 'page': 'Stats', 'label': 'Denied', 'address': '/stats/denied', 'kind': 'int', 'access': 'r', 'preset': False, 'asks': False, 'default': 0, 'min': None, 'max': None, 'choices': [], 'help': 'requests and datagrams that were not let in'},
    {'name': 'Statsloss', 'fader': '', 'page': 'Stats', 'label': 'Loss', 'address': '/stats/loss', 'kind': 'float', 'access': 'r', 'preset': False, 'asks': False, 'default': 0.0, 'min': None, 'max': None, 'choices': [], 'help': 'loss of the frame just seen, before it was learnt from'},
    {'name': 'Statspsnr', 'fader': '', 'page': 'Stats', 'label': 'Psnr dB', 'address': '/stats/psnr', 'kind': 'float', 'access': 'r', 'preset': False, 'asks': False, 'default': 0.0, 'min': None, 'max': None, 'choices': [], 'help': 'likeness of the picture to the frame; 20 is recognisable'},
    {'name': 'Statsgradient', 'fader': '', 'page': 'Stats', 'label': 'Gradient', 'address': '/stats/gradient', 'kind': 'float', 'access': 'r', 'preset': False, 'asks': False, 'default': 0.0, 'min': None, 'max': None, 'choices': [], 'help': 'length of the last gradient, before clipping'},
    {'name': 'Statslearnt', 'fader': '', 'page': 'Stats', 'label': 'Learnt', 'address': '/stats/learnt', 'kind': 'int', 'access': 'r', 'preset': False, 'asks': False, 'default': 0, 'min': None, 'max': None, 'choices': [], 'help': 'steps since this network began'},
    {'name': 'Statsrollbacks', 'fader': '', 'page': 'Stats', 'label': 'Rollbacks', 'address': '/stats/rollbacks', 'kind': 'int', 'access': 'r', 'preset': False, 'asks': False, 'default': 0, 'min': None, 'max': None, 'choices': [], 'help': 'times that the network fell back to a past self'},
    {'name': 'Statsrollback', 'fader': '', 'page': 'Stats', 'label': 'Rollback', 'address': '/stats/rollback', 'kind': 'text', 'access': 'r', 'preset': False, 'asks': False, 'default': '', 'min': None, 'max': None, 'choices': [], 'help': 'why it last did'},
    {'name': 'Statsnonfinite', 'fader': '', 'page': 'Stats', 'label': 'Nonfinite', 'address': '/stats/nonfinite', 'kind': 'int', 'access': 'r', 'preset': False, 'asks': False, 'default': 0, 'min': None, 'max': None, 'choices': [], 'help': 'times that numbers were no longer finite and were thrown away'},
    {'name': 'Statsseed', 'fader': '', 'page': 'Stats', 'label': 'Seed', 'address': '/stats/seed', 'kind': 'int', 'access': 'r', 'preset': False, 'asks': False, 'default': 0, 'min': None, 'max': None, 'choices': [], 'help': "seed of this network's random beginning"},
    {'name': 'Statshash', 'fader': '', 'page': 'Stats', 'label': 'Hash', 'address': '/stats/hash', 'kind': 'text', 'access': 'r', 'preset': False, 'asks': False, 'default': '', 'min': None, 'max': None, 'choices': [], 'help': "SHA-256 of the weights at this network's beginning"},
    {'name': 'Statstake', 'fader': '', 'page': 'Stats', 'label': 'Take', 'address': '/stats/take', 'kind': 'text', 'access': 'r', 'preset': False, 'asks': False, 'default': '', 'min': None, 'max': None, 'choices': [], 'help': 'the film being recorded, or nothing'},
    {'name': 'Systemslew', 'fader': 'Systemslewfader', 'page': 'System', 'label': 'Slew s', 'address': '/system/slew', 'kind': 'float', 'access': 'rw', 'preset': True, 'asks': False, 'default': 0.0, 'min': 0.0, 'max': 60.0, 'choices': [], 'help': 'time that every fader takes to glide to where it was moved; 0 = at once', 'taper': 'log', 'floor': 0.01, 'travel': 0.0},
    {'name': 'Systemlost', 'fader': '', 'page': 'System', 'label': 'Lost', 'address': '/system/lost', 'kind': 'choice', 'access': 'rw', 'preset': True, 'asks': False, 'default': 'hold', 'min': None, 'max': None, 'choices': ['hold', 'dream'], 'help': 'when no frame comes: the last picture stands, or the network goes on by itself'},
    {'name': 'Systemheartbeat', 'fader': '', 'page': 'System', 'label': 'Heartbeat', 'address': '/system/heartbeat', 'kind': 'int', 'access': 'r', 'preset': False, 'asks': False, 'default': 0, 'min': None, 'max': None, 'choices': [], 'help': 'goes up once a second, from before the network is there to the end'},
    {'name': 'Systemsync', 'fader': '', 'page': 'System', 'label': 'Sync', 'address': '/system/sync', 'kind': 'trigger', 'access': 'w', 'preset': False, 'asks': False, 'default': None, 'min': None, 'max': None, 'choices': [], 'help': 'tell whoever asks, or the port given, every value and from then on what changes; plain, norm, text name the trees wanted'},
    {'name': 'Systempanic', 'fader': '', 'page': 'System', 'label': 'Panic', 'address': '/system/panic', 'kind': 'trigger', 'access': 'w', 'preset': False, 'asks': False, 'default': None, 'min': None, 'max': None, 'choices': [], 'help': 'one touch: the last good self, and every fader back where it stood at the start'},
    {'name': 'Systemsource', 'fader': '', 'page': 'System', 'label': 'Source', 'address': '/system/source', 'kind': 'text', 'access': 'rw', 'preset': False, 'asks': False, 'default': '', 'min': None, 'max': None, 'choices': [], 'help': 'which source plays: one that is visible, by its name or its place in the list; the picture goes on until the new one shows'},
    {'name': 'Systemrecord', 'fader': '', 'page': 'System', 'label': 'Record', 'address': '/system/record', 'kind': 'bool', 'access': 'rw', 'preset': False, 'asks': False, 'default': False, 'min': None, 'max': None, 'choices': [], 'help': 'on: a new film of the picture that leaves; off: the film is finished'},
]

# What the component does while it runs: this becomes its DAT `code`.
CODE = r'''
"""What First Light's component does while TouchDesigner runs; the DATs beside this one call it.

A parameter that moves here is sent, once; a knob that First Light tells of moves its parameter and
is not sent back, because `known` holds what First Light knows already. Nothing here waits.
"""

import ctypes
import math
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import types

HEARTBEAT = '/system/heartbeat'
SYNC = '/system/sync'
ALIVE = 3.0  # seconds without a heartbeat after which First Light counts as gone
LOOK = 0.25  # seconds between two looks at the process
ASK = 2.0  # seconds between two questions to a First Light that is silent
GRACE = 15.0  # seconds that it has to finish its film and save, before it is killed
PAUSE = 5.0  # seconds before it is started again
TAIL = 8192  # bytes of its log that the DAT shows
REFUSED = 2  # the code it ends with when its options cannot be: starting again would not help
CTRL_BREAK = 1  # as Windows numbers it
BEYOND = {'float': math.inf, 'int': 2.0 ** 31, 'bool': math.inf}  # what no parameter holds
HERE = ('127.0.0.1', 'localhost', '::1')

BY_ADDRESS = {knob['address']: knob for knob in KNOBS}
BY_PARAMETER = {knob['name']: knob for knob in KNOBS}
BY_PARAMETER.update({knob['fader']: knob for knob in KNOBS if knob['fader']})

# On Python itself, and not in a DAT, lies what outlives a rebuild of the component: the process.
KEPT = sys.modules.setdefault('first_light_kept', types.ModuleType('first_light_kept'))


def kept(comp):
    """What is remembered of one component, by its id, which neither rebuild nor rename changes."""
    new = {'known': {}, 'heard': None, 'alive': False, 'asked': None, 'looked': None, 'log': '',
           'process': None, 'wanted': False, 'kill_at': None, 'again_at': None}
    state = vars(KEPT).setdefault(f'of_{comp.id}', {})
    for name in new.keys() - state.keys():  # an update of the component may remember more
        state[name] = new[name]
    return state


# From here to First Light


def changed(comp, par):
    """A parameter has moved: send it, unless it moved because First Light told so."""
    knob = BY_PARAMETER.get(par.name)
    value = par.eval()
    if knob is None or knob['access'] != 'rw' or kept(comp)['known'].get(par.name) == value:
        return
    kept(comp)['known'][par.name] = value
    if par.name == knob['fader']:
        send(comp, '/norm' + knob['address'], float(value))
        move(comp, knob['name'], from_norm(knob, value))
    else:
        send(comp, knob['address'], outgoing(knob, value))
        if knob['fader']:
            move(comp, knob['fader'], to_norm(knob, value))


def pressed(comp, par):
    """A pulse: one of the component's own, or a trigger of First Light."""
    own = {'Start': start, 'Stop': stop, 'Sync': sync, 'Sendall': send_all}
    knob = BY_PARAMETER.get(par.name)
    if par.name in own:
        own[par.name](comp)
    elif knob is not None and knob['address'] == SYNC:
        sync(comp)
    elif knob is not None and (not knob['asks'] or sure(comp, knob)):
        send(comp, knob['address'], 1)


def sure(comp, knob):
    """Whether the hand means it. Without `Ask` nobody is asked: a box holds the picture up."""
    if not comp.par.Ask.eval():
        return True
    question = f"{knob['label']}: {knob['help']}. This cannot be undone."
    return ui.messageBox('First Light', question, buttons=[knob['label'], 'Cancel']) == 0


def sync(comp):
    """Ask for every value, and from then on for what changes, to the port that osc_in hears."""
    kept(comp)['asked'] = time.monotonic()
    send(comp, SYNC, int(comp.par.Feedbackport.eval()))


def send_all(comp):
    """Make First Light what the parameters say; without what no preset holds, like a recording."""
    for knob in KNOBS:
        if knob['preset']:
            send(comp, knob['address'], outgoing(knob, getattr(comp.par, knob['name']).eval()))


def send(comp, address, value):
    comp.op('osc_out').sendOSC(address, [value], asBundle=False)


def outgoing(knob, value):
    """A parameter's value in the type that its knob takes; a bool goes as 0 or 1."""
    return {'float': float, 'int': int, 'bool': int}.get(knob['kind'], str)(value)


# From First Light to here


def told(comp, address, args):
    """First Light tells where a knob stands. What is unknown or does not fit is passed over."""
    knob = BY_ADDRESS.get(address)
    value = incoming(knob, args[0]) if knob is not None and len(args) == 1 else None
    if value is None:
        return
    if address == HEARTBEAT:
        kept(comp)['heard'] = time.monotonic()
    stands = move(comp, knob['name'], value)
    if knob['fader']:
        move(comp, knob['fader'], to_norm(knob, stands))


def incoming(knob, given):
    """What was told as this knob's kind; None where it is no value of it."""
    kind = knob['kind']
    if kind == 'text':
        return given if isinstance(given, str) else None
    if kind == 'choice':
        return given if given in knob['choices'] else None
    if kind not in BEYOND or not isinstance(given, (bool, int, float)):
        return None
    if not abs(given) < BEYOND[kind]:  # no NaN either
        return None
    return {'float': float, 'int': round, 'bool': bool}[kind](given)


def move(comp, name, value):
    """Move a parameter so that it is not sent. One that an expression or a CHOP drives stays.

    Answers where it stands: a number that was sent comes back a hair off, in 32 bits, and a hair
    moves nothing.
    """
    par = getattr(comp.par, name)
    if par.mode != ParMode.CONSTANT:
        return value
    if not same(par.eval(), value):
        par.val = value
    kept(comp)['known'][name] = par.eval()
    return par.eval()


def same(one, other):
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-7)
    return one == other


def settle(comp):
    """Take the parameters as they stand for known: what a rebuild has put back is no news."""
    for name in BY_PARAMETER:
        kept(comp)['known'][name] = getattr(comp.par, name).eval()


# A fader's travel, 0 to 1: log has equal ratios, antilog the same mirrored, for what is fine near 1


def to_norm(knob, value):
    low, high, floor = knob['min'], knob['max'], knob['floor']
    if knob['taper'] == 'antilog':
        return 1.0 - log_norm(high - value, floor, high - low)
    return log_norm(value, low or floor, high)


def from_norm(knob, norm):
    low, high, floor = knob['min'], knob['max'], knob['floor']
    value = low if norm <= 0 else high
    if knob['taper'] == 'antilog' and norm < 1:
        value = high - floor * ((high - low) / floor) ** (1.0 - norm)
    elif knob['taper'] == 'log' and norm > 0:
        value = (low or floor) * (high / (low or floor)) ** norm
    value = min(max(value, low), high)
    return round(value) if knob['kind'] == 'int' else value


def log_norm(value, low, high):
    return min(math.log(value / low) / math.log(high / low), 1.0) if value > low else 0.0


# The process


def tick(comp):
    """Every frame: is it alive, has it ended, what does it say? Four looks a second, no waiting."""
    state, now = kept(comp), time.monotonic()
    if state['looked'] is not None and now - state['looked'] < LOOK:
        return
    state['looked'] = now
    watch(comp, now)
    alive = state['heard'] is not None and now - state['heard'] < ALIVE
    came = alive and not state['alive']
    silent = not alive and (state['asked'] is None or now - state['asked'] >= ASK)
    if came or silent:
        sync(comp)
    state['alive'] = alive
    show(comp.par.Alive, alive)
    show_log(comp)


def start(comp):
    """Launch First Light, unless it is there."""
    if process_of(comp) is not None:
        say(comp, 'First Light runs already: it was started from here.')
    elif kept(comp)['alive']:
        say(comp, 'First Light answers already: it was started elsewhere, so Stop cannot end it.')
    elif comp.par.Host.eval() not in HERE:
        say(comp, 'Host is another computer: start First Light there, then press Sync.')
    else:
        launch(comp)


def launch(comp, more=()):
    state = kept(comp)
    state.update(wanted=False, kill_at=None, again_at=None)
    try:
        with open(log_path(comp), 'ab' if more else 'wb') as log:  # why it died stays readable
            state['process'] = subprocess.Popen(
                command(comp, more), stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, env=environment(), **unseen()
            )
    except FileNotFoundError:
        say(comp, f'There is no command {comp.par.Command.eval()} here: write the full path of '
                  'firstlight into Command; where it is installed, `where firstlight` (Windows) '
                  'or `which firstlight` (Mac) tells it.')
    except (OSError, ValueError) as problem:
        say(comp, f'First Light cannot be started ({problem}): look at Command and Options.')
    else:
        state['wanted'] = True
        say(comp, f"First Light starts: process {state['process'].pid}.")


def command(comp, more):
    """The words of the command: where pictures come from and go to, where it tells, your options.

    Options come last: of two that contradict each other, First Light takes the later.
    """
    words = pictures(comp)
    words += ['--osc', str(int(comp.par.Port.eval()))]
    words += ['--feedback', f'127.0.0.1:{comp.par.Feedbackport.eval()}', *more]
    program, options = comp.par.Command.eval(), comp.par.Options.eval()
    if os.name == 'nt':  # Windows splits the line itself, and a backslash is no escape there
        return ' '.join([program, subprocess.list2cmdline(words), options])
    return shlex.split(program) + words + shlex.split(options)


def pictures(comp):
    """First Light takes what this component sends, and sends what this component takes."""
    transport = comp.par.Transport.eval()
    here, there = comp.par.Sendername.eval(), comp.par.Receivername.eval()
    if transport == 'options':
        return []
    if transport == 'ndi':
        return ['--in', 'ndi:' + ndi_source(here), '--out', 'ndi:' + there]
    scheme = 'spout:' if os.name == 'nt' else 'syphon:'
    return ['--in', scheme + here, '--out', scheme + there]


def ndi_source(name):
    """NDI names a source after its machine; a name with a bracket is whole already."""
    return name if '(' in name else f'{socket.gethostname().upper()} ({name})'


def environment():
    """TouchDesigner's, without what would lend First Light the modules of another Python."""
    return {k: v for k, v in os.environ.items() if k not in ('PYTHONHOME', 'PYTHONPATH')}


def unseen():
    """No console window, and a process of its own: what ends TouchDesigner does not end it."""
    if os.name == 'nt':
        own = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        return {'creationflags': own}
    return {'start_new_session': True}


def process_of(comp):
    """The process started from here, while it runs."""
    process = kept(comp)['process']
    return process if process is not None and process.poll() is None else None


def stop(comp):
    """Ask it to end in order. `watch` kills it if it does not."""
    state, process = kept(comp), process_of(comp)
    state.update(wanted=False, again_at=None)
    if process is None:
        say(comp, 'There is nothing to stop: First Light was not started from here.')
    elif state['kill_at'] is None:
        state['kill_at'] = time.monotonic() + GRACE
        ask_to_end(process)
        say(comp, 'First Light ends: it saves what it is to save.')


def ask_to_end(process):
    """What Ctrl-C in a terminal does. On Windows it must come from the process's own console."""
    if os.name != 'nt':
        process.terminate()
        return
    console = ctypes.windll.kernel32
    if console.AttachConsole(process.pid):
        console.GenerateConsoleCtrlEvent(CTRL_BREAK, process.pid)
        console.FreeConsole()


def watch(comp, now):
    """Notice its end; kill it when its grace is over; start it again if that was chosen."""
    state = kept(comp)
    if state['again_at'] is not None and now >= state['again_at']:
        launch(comp, ['--resume'])
    process = state['process']
    if process is None:
        return
    code = process.poll()
    if code is None:
        if state['kill_at'] is not None and now >= state['kill_at']:
            process.kill()
        return
    killed = state['kill_at'] is not None and now >= state['kill_at']
    state.update(process=None, kill_at=None, heard=None)  # it was this one that was heard
    ended(comp, code, killed, now)


def ended(comp, code, killed, now):
    state = kept(comp)
    if killed:
        say(comp, f'First Light did not end in {GRACE:.0f} seconds and was killed.')
    elif not state['wanted'] or code == 0:
        say(comp, 'First Light has ended.')
    elif code == REFUSED:
        say(comp, f'First Light refused: {last_line(log_tail(comp))}')
    elif comp.par.Restart.eval():
        state['again_at'] = now + PAUSE
        say(comp, f'First Light died (code {code}): it starts again in {PAUSE:.0f} seconds.')
    else:
        say(comp, f'First Light died (code {code}): the DAT `log` tells why. Press Start.')
    state['wanted'] = False


def leave(comp):
    """TouchDesigner quits: stop First Light if that was chosen. Here alone it waits."""
    process = process_of(comp)
    if process is None or not comp.par.Stopatexit.eval():
        return
    ask_to_end(process)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()


def log_path(comp):
    name = f'first-light-{os.getpid()}-{comp.id}.log'
    return os.path.join(tempfile.gettempdir(), name)


def log_tail(comp):
    """The end of what it has said: a file, so that it can go on speaking without TouchDesigner."""
    try:
        with open(log_path(comp), 'rb') as log:
            log.seek(max(os.path.getsize(log_path(comp)) - TAIL, 0))
            return log.read(TAIL).decode('utf-8', 'replace')
    except OSError:
        return ''


def last_line(text):
    return (text.strip().splitlines() or [''])[-1]


def show_log(comp):
    text = log_tail(comp) if kept(comp)['process'] is not None or kept(comp)['log'] else ''
    if text != kept(comp)['log']:
        kept(comp)['log'] = text
        comp.op('log').text = text


def say(comp, sentence):
    show(comp.par.Status, sentence)


def show(par, value):
    if par.eval() != value:
        par.val = value
'''

NAME = 'first_light'
OWN = 'First Light'  # the page of the component itself; the others are the groups of the knobs

SETTINGS = [  # how made, name, label, default, help
    ('Pulse', 'Start', 'Start', None, 'launch First Light on this computer, without a window'),
    ('Pulse', 'Stop', 'Stop', None, 'end it in order; if it does not end in 15 s it is killed'),
    ('Toggle', 'Alive', 'Alive', False, 'its heartbeat was heard within the last 3 seconds'),
    ('Str', 'Status', 'Status', '', 'what happened last, and what to do'),
    ('Pulse', 'Sync', 'Sync', None, 'move every parameter to where First Light stands'),
    ('Pulse', 'Sendall', 'Send All', None, 'move First Light to where the parameters stand'),
    ('Toggle', 'Ask', 'Ask Before Erasing', True, 'ask before what cannot be undone; the box '
     'holds TouchDesigner up while it is open'),
    ('Str', 'Command', 'Command', 'firstlight', 'the command that Start runs, or its full path'),
    ('Str', 'Options', 'Options', '', 'more options for it, such as --net ghost --lines 360'),
    ('Toggle', 'Restart', 'Restart If Dead', False, 'start it again, with --resume, if it dies'),
    ('Toggle', 'Stopatexit', 'Stop At Exit', True, 'end it when TouchDesigner quits'),
    ('Menu', 'Transport', 'Transport', ('spoutsyphon', 'ndi', 'options'), 'how pictures travel; '
     'options: Options alone say where they come from and go'),
    ('Str', 'Sendername', 'Send As', 'TouchDesigner', 'the name under which in1 is sent'),
    ('Str', 'Receivername', 'Receive', 'First Light', 'the name under which First Light sends'),
    ('Str', 'Host', 'Host', HOST, 'the address of the computer that First Light runs on'),
    ('Int', 'Port', 'Port', PORT, 'the port on which it hears OSC'),
    ('Int', 'Feedbackport', 'Feedback Port', FEEDBACK, 'the port on which it is heard here'),
]
STYLES = {'float': 'Float', 'int': 'Int', 'bool': 'Toggle', 'choice': 'Menu', 'text': 'Str',
          'trigger': 'Pulse'}
READ_ONLY = ('Alive', 'Status')
HIGHEST_PORT = 65535

CHANGED = """
def onValueChange(par, prev):
    parent().op('code').module.changed(parent(), par)

def onPulse(par):
    parent().op('code').module.pressed(parent(), par)
"""
TOLD = """
def onReceiveOSC(dat, rowIndex, message, byteData, timeStamp, address, args, peer):
    parent().op('code').module.told(parent(), address, args)
"""
EVERY_FRAME = """
def onFrameStart(frame):
    parent().op('code').module.tick(parent())

def onExit():
    parent().op('code').module.leave(parent())
"""


def build():
    """Make the component, or make it anew where it is; answers every one there is."""
    found = op('/').findChildren(tags=[NAME], maxDepth=50)
    for comp in found or [new_component()]:
        remembered = {par.name: look(par) for par in comp.customPars}
        make_pages(comp)
        put_back(comp, remembered)
        make_controls(comp)
        make_pictures(comp)
        comp.op('code').module.settle(comp)
        print(f'first_light: {comp.path} has {len(KNOBS)} knobs')


def new_component():
    comp = (op('/project1') or op('/')).create(baseCOMP, NAME)
    comp.tags.add(NAME)  # by this it is found again, wherever it is moved and however it is called
    return comp


# Parameters


def make_pages(comp):
    """A page for the component, and one for each group of knobs; pages of your own stay."""
    for page in list(comp.customPages):
        if page.name in comp.fetch('pages', [], search=False):
            page.destroy()
    page = comp.appendCustomPage(OWN)
    for setting in SETTINGS:
        make_setting(page, *setting)
    pages = {OWN: page}
    for knob in KNOBS:
        if knob['page'] not in pages:
            pages[knob['page']] = comp.appendCustomPage(knob['page'])
        make_knob(pages[knob['page']], knob)
    comp.store('pages', list(pages))


def make_setting(page, style, name, label, default, text):
    par = make(page, style, name, label, text)
    if style == 'Menu':
        set_menu(par, default)
        default = default[0]
    if style == 'Int':
        set_range(par, 1024, HIGHEST_PORT)
    if default is not None:
        set_default(par, default)
    par.readOnly = name in READ_ONLY


def make_knob(page, knob):
    text = f"{knob['help']} ({knob['address']})"
    par = make(page, STYLES[knob['kind']], knob['name'], knob['label'], text)
    if knob['choices']:
        set_menu(par, knob['choices'])
    if knob['min'] is not None:
        set_range(par, knob['min'], knob['max'])
    if knob['default'] is not None:
        set_default(par, knob['default'])
    par.readOnly = knob['access'] == 'r'
    if knob['fader']:  # TouchDesigner's sliders are linear: this one has the travel of a log fader
        fader = make(page, 'Float', knob['fader'], knob['label'] + ' Fader', text)
        set_range(fader, 0.0, 1.0)
        set_default(fader, knob['travel'])


def make(page, style, name, label, text):
    par = getattr(page, 'append' + style)(name, label=label)[0]
    if hasattr(par, 'help'):  # builds before 2022 have none
        par.help = text
    return par


def set_menu(par, names):
    par.menuNames = list(names)
    par.menuLabels = [name.capitalize() for name in names]


def set_range(par, low, high):
    par.normMin, par.normMax = low, high
    par.min, par.max = low, high
    par.clampMin = par.clampMax = True


def set_default(par, value):
    par.default = value
    par.val = value


def look(par):
    return par.style, par.mode, par.val, par.expr, par.bindExpr


def put_back(comp, remembered):
    """Give parameters that were there before what they held: a value, an expression or a bind."""
    for par in comp.customPars:
        style, mode, value, expression, bind = remembered.get(par.name, look(par))
        fits = par.style == style and (style != 'Menu' or value in par.menuNames)
        if fits and style != 'Pulse':
            par.val = value
            if mode == ParMode.EXPRESSION:
                par.expr = expression
            elif mode == ParMode.BIND:
                par.bindExpr = bind


# Operators


def make_controls(comp):
    """OSC out and in, and the DATs that call `code`."""
    child(comp, textDAT, 'code', 0, 0).text = code()
    child(comp, textDAT, 'log', 0, -150)
    out = child(comp, oscoutDAT, 'osc_out', 200, 0)
    drive(out, ('address', 'netaddress'), 'parent().par.Host.eval()')
    drive(out, ('port',), 'parent().par.Port.eval()')
    child(comp, textDAT, 'osc_told', 400, -150).text = TOLD
    heard = child(comp, oscinDAT, 'osc_in', 400, 0)
    drive(heard, ('port',), 'parent().par.Feedbackport.eval()')
    assign(heard, ('callbacks',), 'osc_told')
    assign(heard, ('splitbundle',), True)  # First Light tells in bundles
    assign(heard, ('clamp',), True)
    assign(heard, ('maxlines',), 50)
    moved = child(comp, parameterexecuteDAT, 'par_changed', 200, -150)
    moved.text = CHANGED
    for name, value in (('op', '..'), ('pars', '*'), ('custom', True), ('builtin', False),
                        ('valuechange', True), ('onpulse', True), ('active', True)):
        assign(moved, (name,), value)
    frames = child(comp, executeDAT, 'every_frame', 600, -150)
    frames.text = EVERY_FRAME
    for name in ('framestart', 'exit', 'active'):
        assign(frames, (name,), True)


def code():
    """The text of the DAT `code`: the same table, and what works with it."""
    return 'KNOBS = [\n' + ''.join(f'    {knob!a},\n' for knob in KNOBS) + ']\n' + CODE


def make_pictures(comp):
    """in1 goes to First Light; what First Light sends comes out of out1."""
    sender, receiver = 'parent().par.Sendername.eval()', 'parent().par.Receivername.eval()'
    local_on = "parent().par.Transport.eval() == 'spoutsyphon'"
    network_on = "parent().par.Transport.eval() == 'ndi'"
    source = child(comp, inTOP, 'in1', 0, -350)
    local = child(comp, syphonspoutoutTOP, 'to_first_light', 200, -350)
    drive(local, ('sendername', 'servername'), sender)
    drive(local, ('active',), local_on)
    network = child(comp, ndioutTOP, 'to_first_light_ndi', 200, -500)
    drive(network, ('name', 'sourcename', 'ndiname'), sender)
    drive(network, ('active',), network_on)
    wire(source, local)
    wire(source, network)
    local = child(comp, syphonspoutinTOP, 'from_first_light', 400, -350)
    assign(local, ('usespoutactivesender',), False, must=False)
    drive(local, ('sendername', 'servername'), receiver)
    network = child(comp, ndiinTOP, 'from_first_light_ndi', 400, -500)
    drive(network, ('name', 'sourcename', 'ndiname'),
          "parent().op('code').module.ndi_source(parent().par.Receivername.eval())")
    chosen = child(comp, switchTOP, 'chosen', 600, -350)
    drive(chosen, ('index',), network_on)
    wire(local, chosen, 0)
    wire(network, chosen, 1)
    wire(chosen, child(comp, outTOP, 'out1', 800, -350))


def child(comp, kind, name, x, y):
    """The operator of that name; one that is there stays, and with it its wires."""
    node = comp.op(name)
    if node is None:
        node = comp.create(kind, name)
        node.nodeX, node.nodeY = x, y
    return node


def wire(source, target, index=0):
    target.inputConnectors[index].connect(source)


def assign(node, names, value, must=True):
    par = parameter(node, names, must)
    if par is not None:
        par.val = value


def drive(node, names, expression):
    par = parameter(node, names)
    if par is not None:
        par.expr = expression


def parameter(node, names, must=True):
    """The first of these parameters that this build of TouchDesigner has."""
    for name in names:
        par = getattr(node.par, name, None)
        if par is not None:
            return par
    if must:
        print(f'first_light: {node.path} has no parameter {names[0]} in this build; '
              'set it by hand')
    return None


build()
